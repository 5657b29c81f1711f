/** What the command line asks for. */
export type CommandLine =
  | { readonly kind: "service" }
  | { readonly kind: "console"; readonly configFile: string | null }
  | { readonly kind: "status"; readonly options: StatusOptions }
  | { readonly kind: "version" }
  | { readonly kind: "simulator"; readonly args: readonly string[] }
  | { readonly kind: "audit"; readonly args: readonly string[] }
  | { readonly kind: "policy"; readonly args: readonly string[] }
  | { readonly kind: "doctor"; readonly args: readonly string[] }
  | { readonly kind: "top"; readonly args: readonly string[] }
  | { readonly kind: "inspect"; readonly args: readonly string[] }
  | { readonly kind: "config"; readonly args: readonly string[] }
  | { readonly kind: "help" }
  | { readonly kind: "usage"; readonly error: string; readonly exitCode: 2 | 64 };

/** How `--status` asks and answers. */
export interface StatusOptions {
  /** How long since the start of the process an unfinished answer is asked for again. */
  readonly waitSeconds: number;
  /** One JSON object on the standard output instead of text. */
  readonly json: boolean;
  /** An exit code for each outcome, wrong usage included, instead of 0, 1 and 2. */
  readonly detailedExitCodes: boolean;
}

/** What was found, before it is decided what it means together. */
interface Found {
  help: boolean;
  version: boolean;
  status: boolean;
  console: boolean;
  json: boolean;
  detailedExitCodes: boolean;
  waitSeconds: number | null;
  configFile: string | null;
}

/**
 * Reads the arguments. Where several commands are named, help wins over version, version over status, status over console.
 * Source: agent 1.2, 5.1.
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  if (args[0] === "simulator") return { kind: "simulator", args: args.slice(1) };
  if (args[0] === "audit") return { kind: "audit", args: args.slice(1) };
  if (args[0] === "policy") return { kind: "policy", args: args.slice(1) };
  if (args[0] === "doctor") return { kind: "doctor", args: args.slice(1) };
  if (args[0] === "top") return { kind: "top", args: args.slice(1) };
  if (args[0] === "inspect") return { kind: "inspect", args: args.slice(1) };
  if (args[0] === "config") return { kind: "config", args: args.slice(1) };
  const found: Found = {
    help: false,
    version: false,
    status: false,
    console: false,
    json: false,
    detailedExitCodes: false,
    waitSeconds: null,
    configFile: null,
  };
  const rest = [...args];
  while (rest.length > 0) {
    const error = readOne(rest, found);
    if (error !== null) return usage(error, args);
  }
  const error = oddCombination(found);
  return error === null ? decide(found) : usage(error, args);
}

/** By default the code is that of a failed provisioning too, as callers know it; who wants to tell them apart says so. */
function usage(error: string, args: readonly string[]): CommandLine {
  return { kind: "usage", error, exitCode: args.includes(DETAILED_EXIT_CODES) ? 64 : 2 };
}

const DETAILED_EXIT_CODES = "--detailed-exit-codes";

/** Takes one argument, with its value, from the front of `rest`. Returns what is wrong with it, or `null`. */
function readOne(rest: string[], found: Found): string | null {
  const [name = "", attached] = splitOnce(rest.shift() ?? "");
  const value = () => attached ?? rest.shift() ?? null;
  switch (name) {
    case "--wait":
    case "-w":
      return readWait(value(), found);
    case "--config":
      found.configFile = value();
      return found.configFile === null || found.configFile === ""
        ? "`--config` wants the path of a file"
        : null;
  }
  const flag = FLAGS.get(name);
  if (flag === undefined) return `\`${name}\` is no known argument`;
  if (attached !== undefined) return `\`${name}\` takes no value`;
  found[flag] = true;
  return null;
}

type Flag = "help" | "version" | "status" | "console" | "json" | "detailedExitCodes";

const FLAGS: ReadonlyMap<string, Flag> = new Map<string, Flag>([
  ["-h", "help"],
  ["--help", "help"],
  ["help", "help"],
  ["-v", "version"],
  ["--version", "version"],
  ["-s", "status"],
  ["--status", "status"],
  ["console", "console"],
  ["--json", "json"],
  [DETAILED_EXIT_CODES, "detailedExitCodes"],
]);

function readWait(text: string | null, found: Found): string | null {
  if (text === null || !/^\d{1,9}$/.test(text)) {
    return "`--wait` wants a whole number of seconds";
  }
  found.waitSeconds = Number(text);
  return null;
}

/** What was given without the command that it belongs to; `null` when nothing was. */
function oddCombination(found: Found): string | null {
  if (found.help) return null;
  const ofStatus: readonly [boolean, string][] = [
    [found.waitSeconds !== null, "--wait"],
    [found.json, "--json"],
    [found.detailedExitCodes, DETAILED_EXIT_CODES],
  ];
  for (const [given, name] of ofStatus) {
    if (given && !found.status) return `\`${name}\` goes together with \`--status\` only`;
  }
  return found.configFile !== null && !found.console
    ? "`--config` goes together with `console` only"
    : null;
}

function decide(found: Found): CommandLine {
  if (found.help) return { kind: "help" };
  if (found.version) return { kind: "version" };
  if (found.status) {
    const { waitSeconds, json, detailedExitCodes } = found;
    return {
      kind: "status",
      options: { waitSeconds: waitSeconds ?? 0, json, detailedExitCodes },
    };
  }
  if (found.console) return { kind: "console", configFile: found.configFile };
  return { kind: "service" };
}

/** `--name=value` in two; anything else whole. */
function splitOnce(argument: string): [string, string?] {
  const at = argument.startsWith("--") ? argument.indexOf("=") : -1;
  return at < 0 ? [argument] : [argument.slice(0, at), argument.slice(at + 1)];
}
