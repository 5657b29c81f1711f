import { SetupError } from "../setup/mod.ts";
import { SUITES } from "./suites.ts";

/** What the person asked for on the command line. */
export interface TestOptions {
  /** Names of the suites to run; null for all of them, which is the gate. */
  readonly only: ReadonlySet<string> | null;
  readonly filter: string | null;
  readonly coverage: boolean;
  readonly help: boolean;
}

/** The suite that is not a folder of tests: formatting, lint, types, links. */
export const CHECK_SUITE = "check";

export const USAGE = `usage: deno task test [--only SUITE[,SUITE]] [--filter TEXT] [--no-coverage]
  Without options: everything, with coverage; a skipped test is a failure.
  suites: ${[CHECK_SUITE, ...SUITES.map((suite) => suite.name)].join(", ")}`;

/**
 * Reads the command line.
 * @throws SetupError for an option or a suite that does not exist.
 */
export function parseOptions(args: readonly string[]): TestOptions {
  const only = new Set<string>();
  let filter: string | null = null;
  let coverage = true;
  let help = false;
  const rest = args.flatMap((each) => /^--\w+=/.test(each) ? splitOnce(each) : [each]);
  while (rest.length > 0) {
    const option = rest.shift();
    const value = () => {
      const next = rest.shift();
      if (next === undefined) throw SetupError.of(`\`${option}\` needs a value`, USAGE);
      return next;
    };
    if (option === "--") continue;
    if (option === "--only") value().split(",").forEach((name) => only.add(name));
    else if (option === "--filter") filter = value();
    else if (option === "--no-coverage") coverage = false;
    else if (option === "--help" || option === "-h") help = true;
    else throw SetupError.of(`there is no option \`${option}\``, USAGE);
  }
  const known = new Set([CHECK_SUITE, ...SUITES.map((suite) => suite.name)]);
  for (const name of only) {
    if (!known.has(name)) throw SetupError.of(`there is no suite \`${name}\``, USAGE);
  }
  return { only: only.size === 0 ? null : only, filter, coverage, help };
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
