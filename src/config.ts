import { type EffectiveValue, KeyReader, shown } from "./config_reader.ts";
import { type JsonValue, parseStrictJson } from "./domain/wire/strict_json.ts";
import type { LogLevel } from "./runtime/logger.ts";
import { err, ok, type Result } from "./runtime/result.ts";

/** The settings of a run: decoded once, frozen. Parts get single fields, never the whole. */
export interface Config {
  /** `null`: no log files are kept. */
  readonly logFolder: string | null;
  readonly statusFolder: string;
  readonly eventFolder: string;
  readonly latchKeyFolder: string;
  readonly pollKeyStatusIntervalMs: number;
  readonly maxEventFileCount: number;
  /** Whether telemetry is sent to the host. */
  readonly telemetryUpload: boolean;
  /** How often telemetry is brought to the disk and sent. */
  readonly telemetryIntervalMs: number;
  /** First choice for the kernel object; `null` when not set. */
  readonly ebpfFileFullPath: string | null;
  readonly ebpfProgramName: string;
  readonly cgroupRoot: string;
  /** Where links and maps are pinned, so that they outlive a killed agent. */
  readonly bpfFolder: string;
  readonly fileLogLevel: LogLevel;
  /** `null`: no line becomes an event. */
  readonly fileLogLevelForEvents: LogLevel | null;
  readonly fileLogLevelForSystemEvents: LogLevel;
  readonly enableHttpProxyTrace: boolean;
  /** How the verdicts of the two matchers count. */
  readonly matching: "compat" | "shadow" | "enforce";
  /** The Unix socket that operators ask; `null`: none is served. */
  readonly controlSocket: string | null;
  /** Where metrics are pushed to; `null`: nowhere. */
  readonly otlpEndpoint: string | null;
  readonly otlpIntervalMs: number;
  readonly maxConnectionsPerUser: number;
  readonly maxConnectionsOfRoot: number;
  readonly requestHeadTimeoutMs: number;
  readonly idleConnectionTimeoutMs: number;
}

/** A configuration that can be used, and what the administrator should hear about it. */
export interface DecodedConfig {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** Every key with the value that counts and its origin. */
  readonly values: readonly EffectiveValue[];
}

/** Why a configuration cannot be used, and what is odd about it besides: a misspelt key is both. */
export interface ConfigFault {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** What decoding needs besides the text. */
export interface ConfigContext {
  /** Value of an environment variable, for `%NAME%` in the three folders. */
  readonly environment: (name: string) => string | undefined;
  /** Whether the file was named on the command line: status file and rule dumps then follow `logFolder`. */
  readonly namedFile: boolean;
}

/** The folder of the status file that the extension reads, whatever `logFolder` says. Source: agent 3.3. */
export const FIXED_STATUS_FOLDER = "/var/log/azure-proxy-agent";

/** Every default in one place; keys without one are required. Source: agent 2.2; `bpfFolder` and the last four are ours. */
export const CONFIG_DEFAULTS = Object.freeze(
  {
    pollKeyStatusIntervalInSeconds: 15,
    maxEventFileCount: 30,
    telemetryUpload: true,
    telemetryIntervalInSeconds: 60,
    ebpfProgramName: "redirector.o",
    fileLogLevel: "info",
    fileLogLevelForSystemEvents: "error",
    cgroupRoot: "/sys/fs/cgroup",
    bpfFolder: "/sys/fs/bpf/azure-proxy-agent",
    enableHttpProxyTrace: false,
    canonicalRequestMode: "shadow",
    controlSocket: "/run/azure-proxy-agent/control.sock",
    otlpIntervalInSeconds: 60,
    maxConnectionsPerUser: 4096,
    maxConnectionsOfRoot: 16_384,
    requestHeadTimeoutInSeconds: 30,
    idleConnectionTimeoutInSeconds: 120,
  } as const,
);

/** The words of keys that hold one. */
export const CONFIG_WORDS = Object.freeze(
  {
    level: ["error", "warn", "info", "debug", "trace"],
    matching: ["off", "shadow", "enforce"],
  } as const,
);

/**
 * Decodes the text of a configuration file. Unknown keys and unknown words are warnings; a wrong type, a number out of range
 * or a missing key is an error that names the key, its value and what belongs there. All errors come at once.
 * Source: agent 2.1, 2.2.
 */
export function decodeConfig(
  text: string,
  context: ConfigContext,
): Result<DecodedConfig, ConfigFault> {
  const json = text.startsWith("\ufeff") ? text.slice(1) : text;
  const parsed = parseStrictJson(json);
  if (!parsed.ok) {
    const { code, offset, path } = parsed.error;
    const words = code === "JSON_DUPLICATE_MEMBER" ? "a key stands twice" : "no valid JSON";
    const place = lineAndColumn(json, offset);
    return unusable(`${words} at ${place}, in ${path}; correct the text there`);
  }
  if (!(parsed.value instanceof Map)) {
    return unusable("it must be an object; put the keys between { and }");
  }
  const members: ReadonlyMap<string, JsonValue> = parsed.value;
  const reader = new KeyReader(members, context.environment);
  const config = readConfig(reader, context.namedFile);
  reader.warnUnknown();
  const { errors, warnings, values } = reader;
  return errors.length > 0
    ? err({ errors, warnings })
    : ok({ config: Object.freeze(config), warnings, values });
}

function unusable(error: string): Result<never, ConfigFault> {
  return err({ errors: [error], warnings: [] });
}

function readConfig(reader: KeyReader, namedFile: boolean): Config {
  const defaults = CONFIG_DEFAULTS;
  const { level } = CONFIG_WORDS;
  const logFolder = reader.folder("logFolder");
  const seconds = (
    key:
      | "pollKeyStatusIntervalInSeconds"
      | "otlpIntervalInSeconds"
      | "telemetryIntervalInSeconds"
      | "requestHeadTimeoutInSeconds"
      | "idleConnectionTimeoutInSeconds",
  ) => 1000 * reader.integer(key, defaults[key]);
  const count = (key: "maxEventFileCount" | "maxConnectionsPerUser" | "maxConnectionsOfRoot") =>
    reader.integer(key, defaults[key]);
  return {
    logFolder: logFolder === "" ? null : logFolder,
    eventFolder: reader.folder("eventFolder"),
    latchKeyFolder: reader.folder("latchKeyFolder"),
    statusFolder: readStatusFolder(reader, namedFile ? logFolder : ""),
    pollKeyStatusIntervalMs: seconds("pollKeyStatusIntervalInSeconds"),
    maxEventFileCount: count("maxEventFileCount"),
    telemetryUpload: reader.flag("telemetryUpload", defaults.telemetryUpload),
    telemetryIntervalMs: seconds("telemetryIntervalInSeconds"),
    ebpfFileFullPath: reader.path("ebpfFileFullPath", null) || null,
    ebpfProgramName: reader.text("ebpfProgramName", defaults.ebpfProgramName),
    cgroupRoot: reader.path("cgroupRoot", defaults.cgroupRoot),
    bpfFolder: reader.path("bpfFolder", defaults.bpfFolder),
    fileLogLevel: reader.word("fileLogLevel", level, defaults.fileLogLevel, "info"),
    fileLogLevelForEvents: reader.word("fileLogLevelForEvents", level, null, "info"),
    fileLogLevelForSystemEvents: reader.word(
      "fileLogLevelForSystemEvents",
      level,
      defaults.fileLogLevelForSystemEvents,
      "info",
    ),
    enableHttpProxyTrace: reader.flag("enableHttpProxyTrace", defaults.enableHttpProxyTrace),
    matching: readMatching(reader),
    controlSocket: reader.path("controlSocket", defaults.controlSocket) || null,
    otlpEndpoint: readCollector(reader),
    otlpIntervalMs: seconds("otlpIntervalInSeconds"),
    maxConnectionsPerUser: count("maxConnectionsPerUser"),
    maxConnectionsOfRoot: count("maxConnectionsOfRoot"),
    requestHeadTimeoutMs: seconds("requestHeadTimeoutInSeconds"),
    idleConnectionTimeoutMs: seconds("idleConnectionTimeoutInSeconds"),
  };
}

/** Beside the logs of a file that was named; else where others look for it. */
function readStatusFolder(reader: KeyReader, logFolder: string): string {
  const given = reader.path("statusFolder", null);
  if (given !== null) return given;
  const folder = logFolder === "" ? FIXED_STATUS_FOLDER : logFolder;
  reader.noteDerived("statusFolder", folder);
  return folder;
}

/** The whole address of a collector's metrics; the empty text counts as not given. */
function readCollector(reader: KeyReader): string | null {
  const text = reader.text("otlpEndpoint", null) ?? "";
  if (text === "") return null;
  const url = URL.parse(text);
  const refuse = (what: string) => {
    reader.errors.push(`\`otlpEndpoint\` ${what}`);
    return null;
  };
  if (url !== null && url.username + url.password !== "") {
    return refuse("holds a user name or password, which cannot be sent; remove it");
  }
  if (url?.protocol === "http:" || url?.protocol === "https:") return url.href;
  return refuse(
    `is ${shown(text)}, must be a whole address such as http://127.0.0.1:4318/v1/metrics`,
  );
}

/** DEVIATION D-102: `shadow` unless another word is given; others take anything else for `off`. */
const MATCHING_OF_MODE = Object.freeze(
  { off: "compat", shadow: "shadow", enforce: "enforce" } as const,
);

/** The mode may stand under a key of its own or inside an object; the former counts. Source: authorization 3.14 and 8. */
function readMatching(reader: KeyReader): Config["matching"] {
  const fallback = CONFIG_DEFAULTS.canonicalRequestMode;
  const inner = { key: "canonicalRequest", member: "mode" };
  const { matching } = CONFIG_WORDS;
  return MATCHING_OF_MODE[
    reader.word("canonicalRequestMode", matching, fallback, fallback, inner)
  ];
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`;
}
