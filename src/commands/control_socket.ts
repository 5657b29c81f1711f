import { CONFIG_DEFAULTS } from "../config.ts";
import { configCandidates, loadConfig } from "../config_file.ts";

/** Where commands look for the socket of a running agent. */
export interface SocketContext {
  readonly executable: string;
  environment(name: string): string | undefined;
}

export const SOCKET_CONTEXT: SocketContext = Object.freeze({
  get executable() {
    return Deno.execPath();
  },
  environment: (name: string) => Deno.env.get(name),
});

/** The socket of the options: the one that is named, else the one of the configuration, else the usual one. */
export async function controlSocketOf(
  options: { readonly socket: string | undefined; readonly config: string | undefined },
  context: SocketContext,
): Promise<{ readonly path: string } | { readonly error: string }> {
  if (options.socket !== undefined) return { path: options.socket };
  const candidates = configCandidates(context.executable);
  const named = options.config ?? null;
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
