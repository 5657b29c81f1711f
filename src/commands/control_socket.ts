import { CONFIG_DEFAULTS } from "../config.ts";
import { configCandidates, loadConfig } from "../config_file.ts";
import type { Surroundings } from "./surroundings.ts";

/** The socket of the options: the one that is named, else the one of the configuration, else the usual one. */
export async function controlSocketOf(
  options: { readonly socket: string | null; readonly config: string | null },
  context: Surroundings,
): Promise<{ readonly path: string } | { readonly error: string }> {
  if (options.socket !== null) return { path: options.socket };
  const candidates = configCandidates(context.executable);
  const { config: named } = options;
  const loaded = await loadConfig(named, candidates, context.environment);
  if (loaded.ok) {
    const path = loaded.value.config.controlSocket;
    return path === null
      ? { error: "The configuration serves no control socket: `controlSocket` is empty" }
      : { path };
  }
  // Without any configuration of its own the agent may still have been started with one that keeps the default.
  return named === null
    ? { path: CONFIG_DEFAULTS.controlSocket }
    : { error: loaded.error.problems.join("\n") };
}
