import { parseStrictJson } from "./domain/wire/strict_json.ts";
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
  readonly maxConnectionsPerUser: number;
  readonly maxConnectionsOfRoot: number;
  readonly requestHeadTimeoutMs: number;
  readonly idleConnectionTimeoutMs: number;
}

/** A configuration that can be used, and what the administrator should hear about it. */
export interface DecodedConfig {
  readonly config: Config;
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
    ebpfProgramName: "redirector.o",
    fileLogLevel: "info",
    fileLogLevelForSystemEvents: "error",
    cgroupRoot: "/sys/fs/cgroup",
    bpfFolder: "/sys/fs/bpf/azure-proxy-agent",
    enableHttpProxyTrace: false,
    canonicalRequestMode: "shadow",
    maxConnectionsPerUser: 4096,
    maxConnectionsOfRoot: 16_384,
    requestHeadTimeoutInSeconds: 30,
    idleConnectionTimeoutInSeconds: 120,
  } as const,
);

const REQUIRED_KEYS = ["logFolder", "eventFolder", "latchKeyFolder"];
const KEYS_WITHOUT_DEFAULT = [
  "canonicalRequest",
  "statusFolder",
  "ebpfFileFullPath",
  "fileLogLevelForEvents",
];
/** Keys of older files; they are accepted and change nothing. Source: agent 2.2. */
const IGNORED_KEYS = [
  "monitorIntervalInSeconds",
  "hostGAPluginSupport",
  "wireServerSupport",
  "imdsSupport",
];

/** Every key that a configuration may carry. */
export const KNOWN_CONFIG_KEYS: readonly string[] = Object.freeze([
  ...REQUIRED_KEYS,
  ...KEYS_WITHOUT_DEFAULT,
  ...Object.keys(CONFIG_DEFAULTS),
  ...IGNORED_KEYS,
]);

const LEVELS = ["error", "warn", "info", "debug", "trace"] as const;
const MATCHING_MODES = ["off", "shadow", "enforce"] as const;
const ONE_DAY_S = 86_400;

/**
 * Decodes the text of a configuration file. Unknown keys and unknown words are warnings; a wrong type, a number out of range
 * or a missing key is an error that names the key, what was expected and what to do. All errors come at once.
 * Source: agent 2.1, 2.2.
 */
export function decodeConfig(
  text: string,
  context: ConfigContext,
): Result<DecodedConfig, readonly string[]> {
  const json = text.startsWith("\ufeff") ? text.slice(1) : text;
  const parsed = parseStrictJson(json);
  if (!parsed.ok) {
    const { code, offset, path } = parsed.error;
    const words = code === "JSON_DUPLICATE_MEMBER" ? "a key stands twice" : "no valid JSON";
    return err([`${words} at ${lineAndColumn(json, offset)}, in ${path}; correct the text there`]);
  }
  if (!(parsed.value instanceof Map)) {
    return err([`expected an object, got ${typeName(parsed.value)}; put the keys between { and }`]);
  }
  const reader = new KeyReader(parsed.value, context.environment);
  const config = readConfig(reader, context.namedFile);
  reader.warnUnknown();
  return reader.errors.length > 0
    ? err(reader.errors)
    : ok({ config: Object.freeze(config), warnings: reader.warnings });
}

function readConfig(reader: KeyReader, namedFile: boolean): Config {
  const defaults = CONFIG_DEFAULTS;
  reader.integer("monitorIntervalInSeconds", 0, 0, Number.MAX_SAFE_INTEGER);
  const logFolder = reader.folder("logFolder");
  const statusFolder = reader.text("statusFolder", null) ??
    (namedFile && logFolder !== "" ? logFolder : FIXED_STATUS_FOLDER);
  const seconds = (key: "requestHeadTimeoutInSeconds" | "idleConnectionTimeoutInSeconds") =>
    1000 * reader.integer(key, defaults[key], 1, ONE_DAY_S);
  const pollKey = "pollKeyStatusIntervalInSeconds";
  return {
    logFolder: logFolder === "" ? null : logFolder,
    statusFolder,
    eventFolder: reader.folder("eventFolder"),
    latchKeyFolder: reader.folder("latchKeyFolder"),
    pollKeyStatusIntervalMs: 1000 * reader.integer(pollKey, defaults[pollKey], 1, ONE_DAY_S),
    maxEventFileCount: reader.integer("maxEventFileCount", defaults.maxEventFileCount, 0, 100_000),
    ebpfFileFullPath: reader.text("ebpfFileFullPath", null),
    ebpfProgramName: reader.text("ebpfProgramName", defaults.ebpfProgramName),
    cgroupRoot: reader.text("cgroupRoot", defaults.cgroupRoot),
    bpfFolder: reader.text("bpfFolder", defaults.bpfFolder),
    fileLogLevel: reader.word("fileLogLevel", LEVELS, defaults.fileLogLevel, "info"),
    fileLogLevelForEvents: reader.word("fileLogLevelForEvents", LEVELS, null, "info"),
    fileLogLevelForSystemEvents: reader.word(
      "fileLogLevelForSystemEvents",
      LEVELS,
      defaults.fileLogLevelForSystemEvents,
      "info",
    ),
    enableHttpProxyTrace: reader.flag("enableHttpProxyTrace", defaults.enableHttpProxyTrace),
    matching: MATCHING_OF_MODE[readMatchingMode(reader)],
    maxConnectionsPerUser: reader.integer(
      "maxConnectionsPerUser",
      defaults.maxConnectionsPerUser,
      1,
      65_536,
    ),
    maxConnectionsOfRoot: reader.integer(
      "maxConnectionsOfRoot",
      defaults.maxConnectionsOfRoot,
      1,
      65_536,
    ),
    requestHeadTimeoutMs: seconds("requestHeadTimeoutInSeconds"),
    idleConnectionTimeoutMs: seconds("idleConnectionTimeoutInSeconds"),
  };
}

/** DEVIATION D-102: `shadow` unless another word is given; others take anything else for `off`. */
const MATCHING_OF_MODE = Object.freeze(
  { off: "compat", shadow: "shadow", enforce: "enforce" } as const,
);

/** The mode may stand under a key of its own or inside an object; the former counts. Source: authorization 3.14 and 8. */
function readMatchingMode(reader: KeyReader): (typeof MATCHING_MODES)[number] {
  const fallback = CONFIG_DEFAULTS.canonicalRequestMode;
  const nested = reader.nested("canonicalRequest")
    ?.word("mode", MATCHING_MODES, fallback, fallback);
  return reader.word("canonicalRequestMode", MATCHING_MODES, nested ?? fallback, fallback);
}

/** Reads single keys and collects what is wrong with them. After an error the value is a stand-in that is never used. */
class KeyReader {
  readonly errors: string[];
  readonly warnings: string[];
  /** What stands before a key's name in messages. */
  readonly #prefix: string;
  readonly #members: ReadonlyMap<string, unknown>;
  readonly #environment: (name: string) => string | undefined;

  constructor(
    members: ReadonlyMap<string, unknown>,
    environment: (name: string) => string | undefined,
    outer?: KeyReader,
    prefix = "",
  ) {
    this.#members = members;
    this.#environment = environment;
    this.errors = outer?.errors ?? [];
    this.warnings = outer?.warnings ?? [];
    this.#prefix = prefix;
  }

  /** A reader of the object under a key; `null` when there is none. */
  nested(key: string): KeyReader | null {
    const value = this.#members.get(key);
    if (value === undefined) return null;
    if (value instanceof Map) {
      return new KeyReader(value, this.#environment, this, `${this.#prefix}${key}.`);
    }
    return this.#wrong(key, "an object", value, "put the keys between { and }", null);
  }

  /** A required folder, with `%NAME%` replaced and without a slash at the end. */
  folder(key: string): string {
    if (!this.#members.has(key)) {
      this.errors.push(`\`${key}\` is missing; add it with the path of a folder`);
      return "";
    }
    const text = expandVariables(this.text(key, ""), this.#environment);
    return text.length > 1 ? text.replace(/\/+$/, "") : text;
  }

  text<F extends string | null>(key: string, fallback: F): string | F {
    const value = this.#members.get(key);
    if (value === undefined || typeof value === "string") return value ?? fallback;
    return this.#wrong(key, "a text", value, "write it between quotes", fallback);
  }

  integer(key: string, fallback: number, least: number, most: number): number {
    const value = this.#members.get(key);
    if (value === undefined) return fallback;
    const fits = typeof value === "number" && Number.isInteger(value) && value >= least &&
      value <= most;
    if (fits) return value;
    const expected = `a whole number from ${least} to ${most}`;
    return this.#wrong(key, expected, value, "write it without quotes", fallback);
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#members.get(key);
    if (value === undefined || typeof value === "boolean") return value ?? fallback;
    return this.#wrong(key, "true or false", value, "write it without quotes", fallback);
  }

  /** One of several words, in any case. An unknown word is only a warning and counts as `unknown`. */
  word<W extends string, F extends W | null>(
    key: string,
    words: readonly W[],
    absent: F,
    unknown: W,
  ): W | F {
    const value = this.#members.get(key);
    if (value === undefined) return absent;
    if (typeof value !== "string") {
      return this.#wrong(
        key,
        `one of ${words.join(", ")}`,
        value,
        "write it between quotes",
        absent,
      );
    }
    const given = value.trim().toLowerCase();
    if (given === "") return absent;
    const word = words.find((candidate) => candidate === given);
    if (word !== undefined) return word;
    this.warnings.push(
      `\`${this.#prefix}${key}\` has the unknown value ${shown(value)}, \`${unknown}\` is used; ` +
        `use one of ${words.join(", ")}`,
    );
    return unknown;
  }

  warnUnknown(): void {
    for (const key of this.#members.keys()) {
      if (KNOWN_CONFIG_KEYS.includes(key)) continue;
      const nearest = nearestKey(key);
      const hint = nearest === null ? "" : `; did you mean \`${nearest}\`?`;
      this.warnings.push(`${shown(key)} is no known key and changes nothing${hint}`);
    }
  }

  #wrong<T>(key: string, expected: string, value: unknown, remedy: string, fallback: T): T {
    this.errors.push(
      `\`${this.#prefix}${key}\`: expected ${expected}, got ${typeName(value)}; ${remedy}`,
    );
    return fallback;
  }
}

/** `%` word `%` becomes the variable; an unset variable leaves its bare name. Source: agent 2.2. */
function expandVariables(
  text: string,
  environment: (name: string) => string | undefined,
): string {
  return text.replace(/%(\w+)%/g, (_, name: string) => environment(name) ?? name);
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Map) return "an object";
  if (typeof value === "number") return `the number ${value}`;
  return typeof value === "string" ? `the text ${shown(value)}` : `\`${value}\``;
}

function shown(text: string): string {
  return `\`${text.length > 60 ? `${text.slice(0, 60).toWellFormed()}...` : text}\``;
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`;
}

/** The known key that differs least, if it differs little. */
function nearestKey(key: string): string | null {
  if (key.length > 64) return null;
  let nearest: string | null = null;
  let least = Math.max(2, Math.floor(key.length / 3)) + 1;
  for (const known of KNOWN_CONFIG_KEYS) {
    const distance = editDistance(key.toLowerCase(), known.toLowerCase());
    if (distance < least) [nearest, least] = [known, distance];
  }
  return nearest;
}

/** How many letters must be put in, taken out or changed to turn one text into the other. */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const change = (above[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(change, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[to.length] ?? 0;
}
