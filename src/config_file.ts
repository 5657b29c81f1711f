import { type ConfigContext, decodeConfig, type DecodedConfig } from "./config.ts";
import { describeFileError } from "./runtime/files.ts";
import { err, ok, type Result } from "./runtime/result.ts";

/** A configuration file that is larger is a mistake. */
const MOST_BYTES = 1024 * 1024;

/** Where a configuration is looked for when none is named, in order. Source: agent 2.1. */
export function configCandidates(executable: string): readonly string[] {
  const folder = executable.replace(/\/[^/]*$/, "");
  return ["/etc/azure/proxy-agent.json", `${folder}/proxy-agent.json`];
}

/** A configuration with the file it was read from. */
export interface LoadedConfig extends DecodedConfig {
  readonly path: string;
}

/** Why there is no configuration. */
export interface ConfigRefusal {
  /** `wrong`: the file was read, and its content cannot be used. */
  readonly kind: "unreadable" | "wrong";
  /** Sentences that name the file. */
  readonly problems: readonly string[];
  /** What is odd besides, without the file. */
  readonly warnings: readonly string[];
}

/** A refusal for people: a line for each problem and each oddity. */
export function refusalText({ problems, warnings }: ConfigRefusal): string {
  const lines = [...problems, ...warnings.map((warning) => `odd: ${warning}`)];
  return lines.map((line) => `${line}\n`).join("");
}

/**
 * Reads and decodes the named file, or the first of the candidates that exists.
 *
 * Source: agent 2.1.
 */
export async function loadConfig(
  named: string | null,
  candidates: readonly string[],
  environment: ConfigContext["environment"],
): Promise<Result<LoadedConfig, ConfigRefusal>> {
  for (const path of named === null ? candidates : [named]) {
    let text: string;
    try {
      text = await readSmallFile(path);
    } catch (error) {
      if (named === null && error instanceof Deno.errors.NotFound) continue;
      const cause = describeFileError(error);
      return unreadable(`The configuration \`${path}\` cannot be read: ${cause}`);
    }
    const decoded = decodeConfig(text, { environment, namedFile: named !== null });
    if (decoded.ok) return ok({ ...decoded.value, path });
    const { errors, warnings } = decoded.error;
    const problems = errors.map((error) => `The configuration \`${path}\` is wrong: ${error}`);
    return err({ kind: "wrong", problems, warnings });
  }
  const places = candidates.map((path) => `\`${path}\``).join(" or ");
  return unreadable(
    `There is no configuration at ${places}; create one or name one with --config`,
  );
}

function unreadable(problem: string): Result<never, ConfigRefusal> {
  return err({ kind: "unreadable", problems: [problem], warnings: [] });
}

async function readSmallFile(path: string): Promise<string> {
  const info = await Deno.stat(path);
  if (!info.isFile) throw new Error("not a regular file");
  if (info.size > MOST_BYTES) throw new Error(`larger than ${MOST_BYTES} bytes`);
  return await Deno.readTextFile(path);
}
