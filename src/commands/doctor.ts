import { type Config, CONFIG_DEFAULTS, FIXED_STATUS_FOLDER } from "../config.ts";
import { configCandidates, loadConfig } from "../config_file.ts";
import { ENDPOINTS } from "../domain/wire/mod.ts";
import {
  CHECKS,
  collectBundle,
  type DoctorReport,
  type DoctorSettings,
  exitCodeOf,
  LocalMachine,
  packArchive,
  reportJson,
  reportText,
  runChecks,
  Situation,
} from "../operator/doctor/mod.ts";
import { openDiagnostics } from "../platform/diagnostics.ts";
import { AgentError } from "../runtime/errors.ts";
import { describeFileError } from "../runtime/files.ts";
import { SystemClock } from "../runtime/system_clock.ts";
import { VERSION } from "../version.ts";
import { exists } from "./agent_place.ts";
import { misused, parseOptions } from "./options.ts";
import type { CommandOutput } from "./output.ts";
import { SURROUNDINGS, type Surroundings } from "./surroundings.ts";

const USAGE = `Usage: azure-proxy-agent doctor [--config FILE] [--json]
       azure-proxy-agent doctor bundle [--config FILE] [--output FILE] [--log-mb N]

Looks at the agent and the machine around it, and says of each thing whether it is as it should be and what to do if not:
kernel, cgroup, kernel programs and those of others beside them, who listens, whether connections to the endpoints reach the
agent, key, status, clock, disk, permissions, rules, logs, audit log. It changes nothing. To see whether connections reach the
agent it begins one to each redirected endpoint and closes it at once; nothing is sent on it.

  --config FILE   the configuration of the agent; otherwise the one that the service uses
  --json          one JSON object in place of text
  -h, --help

\`bundle\` packs the report, configuration, status, rules, the ends of the logs and facts about kernel and cgroup into a
gzipped tar archive that only its owner can read. Secrets are replaced by [REDACTED]; key files are not read. Look at it before
you send it: paths, user names and command lines stay.

  --output FILE   where to; a new file, azure-proxy-agent-support-TIME.tar.gz here unless told otherwise
  --log-mb N      how much of the end of each log, in MiB, 1 to 64; 2 unless told otherwise

Run it as root. Exit codes: 0 all OK, 1 warnings, 2 failures or wrong usage; of bundle: 0 written, 2 not.
`;

const DEFAULT_LOG_MB = 2;
const MOST_LOG_MB = 64;
const BYTES_PER_MB = 1024 * 1024;
const FILE_MODE = 0o600;
/** Folder of the kernel objects of a source tree, behind the installed one. */
const BUILD_FOLDER = new URL("../../build/bpf", import.meta.url).pathname;

/** What the command line asked for. */
export type DoctorRequest =
  | { readonly kind: "check"; readonly configFile: string | null; readonly json: boolean }
  | {
    readonly kind: "bundle";
    readonly configFile: string | null;
    readonly output: string | null;
    readonly logBytes: number;
  }
  | { readonly kind: "help" }
  | { readonly kind: "usage"; readonly error: string };

/** Runs `doctor`. Returns the exit code: 0 all OK, 1 warnings, 2 failures or wrong usage. */
export async function doctorCommand(
  args: readonly string[],
  output: CommandOutput,
  context: Surroundings = SURROUNDINGS,
): Promise<0 | 1 | 2> {
  const request = parseDoctorArgs(args);
  if (request.kind === "help") {
    output.out(USAGE);
    return 0;
  }
  if (request.kind === "usage") return misused(request.error, USAGE, output);
  try {
    const situation = await lookAround(request.configFile, context);
    const report = await runChecks(CHECKS, situation, new SystemClock());
    if (request.kind === "bundle") return await writeBundle(request, situation, report, output);
    output.out(request.json ? reportJson(report) : reportText(report));
    return exitCodeOf(report.outcome);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    output.err(`${error.message}\n`);
    return 2;
  }
}

/** Reads the command line of `doctor`. */
export function parseDoctorArgs(args: readonly string[]): DoctorRequest {
  const usage = (error: string): DoctorRequest => ({ kind: "usage", error });
  const parsed = parseOptions(args, {
    config: { type: "string" },
    output: { type: "string" },
    "log-mb": { type: "string" },
    json: { type: "boolean" },
  });
  if (!parsed.ok) return usage(parsed.error);
  const { positionals: [command, ...more], flag, text } = parsed.value;
  if (flag("help") || command === "help") return { kind: "help" };
  if (more.length > 0 || (command !== undefined && command !== "bundle")) {
    return usage(`\`doctor\` knows \`bundle\`, not \`${[command, ...more].join(" ")}\``);
  }
  const configFile = text("config");
  const logMb = text("log-mb");
  if (command === undefined) {
    if (text("output") !== null || logMb !== null) {
      return usage("`--output` and `--log-mb` go together with `bundle` only");
    }
    return { kind: "check", configFile, json: flag("json") };
  }
  if (flag("json")) return usage("`--json` goes with `doctor` alone");
  const mb = logMb === null ? DEFAULT_LOG_MB : Number(logMb);
  if (!Number.isInteger(mb) || mb < 1 || mb > MOST_LOG_MB) {
    return usage(`\`--log-mb\` wants a whole number from 1 to ${MOST_LOG_MB}`);
  }
  return { kind: "bundle", configFile, output: text("output"), logBytes: mb * BYTES_PER_MB };
}

/** Loads the configuration, or the usual values where it cannot be used, and opens what is to be looked at. */
async function lookAround(configFile: string | null, context: Surroundings): Promise<Situation> {
  const candidates = configCandidates(context.executable);
  const loaded = await loadConfig(configFile, candidates, context.environment);
  const config = loaded.ok ? loaded.value.config : USUAL_CONFIG;
  const diagnostics = await openDiagnostics({
    cgroupRoot: config.cgroupRoot,
    bpfFolder: config.bpfFolder,
    bpfObjects: {
      fullPath: config.ebpfFileFullPath,
      fileName: config.ebpfProgramName,
      folders: [
        context.executable.replace(/\/[^/]*$/, ""),
        ...(Deno.build.standalone ? [] : [BUILD_FOLDER]),
      ],
    },
    keyFolder: config.latchKeyFolder,
  });
  const settings: DoctorSettings = {
    configFile: loaded.ok ? loaded.value.path : configFile ?? candidates.find(exists) ?? null,
    configErrors: loaded.ok ? [] : loaded.error.problems,
    configWarnings: loaded.ok ? loaded.value.warnings : loaded.error.warnings,
    logFolder: config.logFolder,
    statusFolder: config.statusFolder,
    eventFolder: config.eventFolder,
    keyFolder: config.latchKeyFolder,
    rulesFolder: diagnostics.rulesFolder,
    cgroupRoot: config.cgroupRoot,
    controlSocket: config.controlSocket,
    pollIntervalMs: config.pollKeyStatusIntervalMs,
    bpfObjects: diagnostics.bpfObjects,
    endpoints: ENDPOINTS,
    version: VERSION,
    executable: context.executable,
  };
  return new Situation(settings, new LocalMachine(diagnostics.kernel));
}

/** Where everything is when nobody says otherwise. Source: agent 3.1. */
const USUAL_CONFIG: Pick<
  Config,
  | "logFolder"
  | "statusFolder"
  | "eventFolder"
  | "latchKeyFolder"
  | "cgroupRoot"
  | "bpfFolder"
  | "controlSocket"
  | "ebpfFileFullPath"
  | "ebpfProgramName"
  | "pollKeyStatusIntervalMs"
> = Object.freeze({
  logFolder: FIXED_STATUS_FOLDER,
  statusFolder: FIXED_STATUS_FOLDER,
  eventFolder: `${FIXED_STATUS_FOLDER}/events`,
  latchKeyFolder: "/var/lib/azure-proxy-agent/keys",
  cgroupRoot: CONFIG_DEFAULTS.cgroupRoot,
  bpfFolder: CONFIG_DEFAULTS.bpfFolder,
  controlSocket: CONFIG_DEFAULTS.controlSocket,
  ebpfFileFullPath: null,
  ebpfProgramName: CONFIG_DEFAULTS.ebpfProgramName,
  pollKeyStatusIntervalMs: 1000 * CONFIG_DEFAULTS.pollKeyStatusIntervalInSeconds,
});

async function writeBundle(
  request: DoctorRequest & { readonly kind: "bundle" },
  situation: Situation,
  report: DoctorReport,
  output: CommandOutput,
): Promise<0 | 2> {
  const stamp = new Date(report.wallMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
  const path = request.output ?? `azure-proxy-agent-support-${stamp}Z.tar.gz`;
  const { entries, leftOut } = await collectBundle(situation, report, request.logBytes);
  const archive = await packArchive(entries, report.wallMs);
  try {
    // Never over a file or through a link that somebody put there.
    await Deno.writeFile(path, archive, { createNew: true, mode: FILE_MODE });
    await Deno.chmod(path, FILE_MODE);
  } catch (error) {
    output.err(
      `\`${path}\` cannot be written: ${describeFileError(error)}; name another with --output\n`,
    );
    return 2;
  }
  output.out([
    `${path}: ${archive.length} bytes, readable by its owner alone`,
    ...entries.map(({ name, text }) => `${String(text.length).padStart(9)}  ${name}`),
    ...leftOut.map((line) => `           not in it: ${line}`),
    "",
  ].join("\n"));
  return 0;
}
