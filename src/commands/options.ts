import { parseArgs, type ParseArgsConfig } from "node:util";
import { err, ok, type Result } from "../runtime/result.ts";
import type { CommandOutput } from "./output.ts";

/** Options of a command and their values. */
export type Options = NonNullable<ParseArgsConfig["options"]>;

/** What the command line said. */
export interface ParsedOptions {
  readonly positionals: readonly string[];
  /** `null` when the option was not given. */
  text(name: string): string | null;
  /** All values of an option that may be given more than once. */
  texts(name: string): readonly string[];
  flag(name: string): boolean;
}

/** Reads the options of a command. `--help` is one of every command. The error is a sentence. */
export function parseOptions(
  args: readonly string[],
  options: Options,
): Result<ParsedOptions, string> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: true,
      options: { ...options, help: { type: "boolean", short: "h" } },
    });
    const of = values as Readonly<Record<string, unknown>>;
    return ok({
      positionals,
      text: (name) => typeof of[name] === "string" ? of[name] : null,
      texts: (name) => Array.isArray(of[name]) ? of[name] as readonly string[] : [],
      flag: (name) => of[name] === true,
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return err(error.message);
  }
}

/** Tells an error. Returns the exit code. */
export function failed(error: string, json: boolean, output: CommandOutput): 2 {
  if (json) output.out(`${JSON.stringify({ verdict: "error", error })}\n`);
  else output.err(`${error}\n`);
  return 2;
}

/** Tells wrong usage, and the right one. Returns the exit code. */
export function misused(error: string, usage: string, output: CommandOutput): 2 {
  output.err(`${error}\n\n${usage}`);
  return 2;
}
