import { FIXED_STATUS_FOLDER } from "../config.ts";
import { configCandidates, loadConfig } from "../config_file.ts";
import type { Matching } from "../domain/policy/mod.ts";
import { err, ok, type Result } from "../runtime/result.ts";
import type { Surroundings } from "./surroundings.ts";

/** Where the agent of this machine writes, and how it matches. */
export interface AgentPlace {
  /** `null` where the configuration keeps no log. */
  readonly logFolder: string | null;
  readonly statusFolder: string;
  /** `null` where there is no configuration to say. */
  readonly matching: Matching | null;
}

/** The configuration's say, or the usual places where there is none and none was named. The error is one or more sentences. */
export async function agentPlace(
  configFile: string | null,
  context: Surroundings,
): Promise<Result<AgentPlace, string>> {
  const candidates = configCandidates(context.executable);
  const loaded = await loadConfig(configFile, candidates, (name) => context.environment(name));
  if (loaded.ok) {
    const { logFolder, statusFolder, matching } = loaded.value.config;
    return ok({ logFolder, statusFolder, matching });
  }
  const isNone = configFile === null && !candidates.some(exists);
  return isNone
    ? ok({ logFolder: FIXED_STATUS_FOLDER, statusFolder: FIXED_STATUS_FOLDER, matching: null })
    : err(loaded.error.problems.join("\n"));
}

/** Whether there is a file, or a link to one. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
