/**
 * What a configuration file looks like, defined once. `src/config_schema.json` is generated from this: editors are given
 * it, and the decoder checks every value by it.
 *
 * Source: agent 2.2.
 * @module
 */
import * as z from "zod/mini";
import { CONFIG_DEFAULTS, CONFIG_WORDS } from "../../src/config.ts";

const FOLDER = "the path of a folder, a text between quotes";

/** `errorMessage` ends the sentence of an error, "… must be …", and says what to do with it. */
function text(description: string, errorMessage = "a text between quotes") {
  return z.string().register(z.globalRegistry, { description, errorMessage });
}

/** A text of which nothing would be left to work with if it were empty. */
function filled(description: string, errorMessage: string) {
  return z.string().check(z.regex(/^./)).register(z.globalRegistry, { description, errorMessage });
}

function words(description: string, choices: readonly string[]) {
  return z.string().register(z.globalRegistry, {
    description: `${description} An unknown word is only warned of.`,
    errorMessage: `one of ${choices.join(", ")}, between quotes`,
    examples: [...choices],
  });
}

function flag(description: string) {
  return z.boolean().register(z.globalRegistry, {
    description,
    errorMessage: "true or false, without quotes",
  });
}

function integer(description: string, least: number, most: number) {
  return z.int().check(z.gte(least), z.lte(most)).register(z.globalRegistry, {
    description,
    errorMessage: `a whole number from ${least} to ${most}, without quotes`,
  });
}

const DAY_S = 86_400;
const { level, matching } = CONFIG_WORDS;
const defaults = CONFIG_DEFAULTS;
const canonicalRequest = z.object({
  mode: z.optional(words("Another spelling of canonicalRequestMode.", matching)),
}).register(z.globalRegistry, {
  description: "Holds another spelling of canonicalRequestMode.",
  errorMessage: "an object: keys between { and }",
});
/** Keys of older files: accepted, whatever they hold. */
const anything = z.optional(z.any());

/** The configuration. Keys that it does not know are warned of. */
export const CONFIG_DEFINITION = z.object({
  logFolder: text("Log and audit log; the empty text: none are kept.", FOLDER),
  eventFolder: filled("Events that wait to be sent.", FOLDER),
  latchKeyFolder: filled("The key and what else only root may see.", FOLDER),
  statusFolder: z.optional(filled("Status document and dumps of rules.", FOLDER)),
  pollKeyStatusIntervalInSeconds: z._default(
    integer("How often the host is asked.", 1, DAY_S),
    defaults.pollKeyStatusIntervalInSeconds,
  ),
  maxEventFileCount: z._default(
    integer("Most files of events.", 0, 100_000),
    defaults.maxEventFileCount,
  ),
  telemetryUpload: z._default(
    flag("Whether telemetry is sent to the host."),
    defaults.telemetryUpload,
  ),
  telemetryIntervalInSeconds: z._default(
    integer("How often telemetry is sent.", 1, DAY_S),
    defaults.telemetryIntervalInSeconds,
  ),
  ebpfFileFullPath: z.optional(text("First choice for the file of the kernel programs.")),
  ebpfProgramName: z._default(
    filled("Name of that file.", "the name of a file, a text between quotes"),
    defaults.ebpfProgramName,
  ),
  cgroupRoot: z._default(
    filled("The cgroup whose processes are redirected.", FOLDER),
    defaults.cgroupRoot,
  ),
  bpfFolder: z._default(filled("Where the programs are pinned.", FOLDER), defaults.bpfFolder),
  fileLogLevel: z._default(words("Least severe lines of the log.", level), defaults.fileLogLevel),
  fileLogLevelForEvents: z.optional(words("Least severe lines that become events.", level)),
  fileLogLevelForSystemEvents: z._default(
    words("Least severe lines of console and journal.", level),
    defaults.fileLogLevelForSystemEvents,
  ),
  enableHttpProxyTrace: z._default(
    flag("Whether each request gets a warning in the log, with its stages."),
    defaults.enableHttpProxyTrace,
  ),
  canonicalRequestMode: z._default(
    words("How the verdicts of the two matchers count.", matching),
    defaults.canonicalRequestMode,
  ),
  canonicalRequest: z.optional(canonicalRequest),
  controlSocket: z._default(
    text("The socket that operators ask; the empty text: none."),
    defaults.controlSocket,
  ),
  otlpEndpoint: z.optional(text("Where metrics are pushed to, over OTLP/HTTP.")),
  otlpIntervalInSeconds: z._default(
    integer("How often metrics are pushed.", 1, DAY_S),
    defaults.otlpIntervalInSeconds,
  ),
  maxConnectionsPerUser: z._default(
    integer("Live connections that a user may hold.", 1, 65_536),
    defaults.maxConnectionsPerUser,
  ),
  maxConnectionsOfRoot: z._default(
    integer("The same for root.", 1, 65_536),
    defaults.maxConnectionsOfRoot,
  ),
  requestHeadTimeoutInSeconds: z._default(
    integer("A head must be complete by then.", 1, DAY_S),
    defaults.requestHeadTimeoutInSeconds,
  ),
  idleConnectionTimeoutInSeconds: z._default(
    integer("A silent connection is cut after this.", 1, DAY_S),
    defaults.idleConnectionTimeoutInSeconds,
  ),
  monitorIntervalInSeconds: z.optional(
    integer("Without effect.", 0, Number.MAX_SAFE_INTEGER),
  ),
  hostGAPluginSupport: anything,
  wireServerSupport: anything,
  imdsSupport: anything,
}).register(z.globalRegistry, { title: "Configuration of the agent" });
