import { parseArgs } from "node:util";
import { SetupError } from "../setup/mod.ts";
import { BUDGETS, type RowId } from "./budgets.ts";

/** What the command line asked for. */
export interface BenchOptions {
  readonly help: boolean;
  /** Rounds of each load shape, and how long each candidate is loaded in a round. */
  readonly rounds: number;
  readonly seconds: number;
  /** How long the agent is left alone before its idle memory is looked at. */
  readonly idleSeconds: number;
  /** Rows to measure. */
  readonly rows: ReadonlySet<RowId>;
  /** Whether proxies of least effort are measured beside the agent. */
  readonly explain: boolean;
  /** File for the result as JSON; `null` for none. */
  readonly jsonPath: string | null;
  /** What is measured: the code bundled as for the executable, the tree as it is, or a compiled agent. */
  readonly program: "bundle" | "source" | { readonly path: string };
}

export const USAGE = `Usage: deno task bench [options]

Measures the whole agent, through the real redirect, beside the direct path and nginx proxy_pass.

  --only ROW,ROW      only these rows, see below
  --rounds N          rounds of each load shape, default 6
  --seconds N         seconds of load for each candidate in a round, default 2
  --idle-seconds N    quiet time before the idle memory is looked at, default 60
  --idle-minutes N    the same in minutes; the budget speaks of 10
  --explain           measure proxies of least effort as well: what the runtime alone costs
  --source            measure the tree as it is, not bundled as it is for the executable
  --program PATH      measure a compiled agent
  --json FILE         also write everything that was measured to FILE

Rows: ${BUDGETS.map(({ id }) => id).join(", ")}
Exit code 1 when a row misses what it must reach, or could not be measured.
`;

/** Reads the command line. @throws SetupError on what it does not know */
export function parseOptions(args: readonly string[]): BenchOptions {
  let values: Record<string, string | boolean | undefined>;
  try {
    values = parseArgs({
      args: args.filter((arg) => arg !== "--"),
      options: {
        only: { type: "string" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        "idle-seconds": { type: "string" },
        "idle-minutes": { type: "string" },
        explain: { type: "boolean" },
        source: { type: "boolean" },
        program: { type: "string" },
        json: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw SetupError.of((error as Error).message, "see `deno task bench --help`");
  }
  const text = (name: string) => values[name] as string | undefined;
  const count = (name: string, fallback: number) => wholeNumber(name, text(name), fallback);
  return {
    help: values["help"] === true,
    rounds: count("rounds", 6),
    seconds: count("seconds", 2),
    idleSeconds: count("idle-minutes", 0) * 60 || count("idle-seconds", 60),
    rows: rowsOf(text("only")),
    explain: values["explain"] === true,
    jsonPath: text("json") ?? null,
    program: programOf(text("program"), values["source"] === true),
  };
}

function programOf(path: string | undefined, isSource: boolean): BenchOptions["program"] {
  if (path !== undefined) return { path };
  return isSource ? "source" : "bundle";
}

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw SetupError.of(`--${name} is \`${text}\``, "give a whole number from 1 to 9999");
}

function rowsOf(text: string | undefined): ReadonlySet<RowId> {
  const known = BUDGETS.map(({ id }) => id);
  if (text === undefined) return new Set(known);
  const named = text.split(",").map((name) => known.find((id) => id === name) ?? name);
  const unknown = named.filter((name) => !(known as string[]).includes(name));
  if (unknown.length === 0) return new Set(named as RowId[]);
  throw SetupError.of(`there is no row \`${unknown[0]}\``, `the rows are: ${known.join(" ")}`);
}
