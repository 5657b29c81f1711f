/** The signals that end a command in order. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Object.freeze(["SIGTERM", "SIGINT", "SIGHUP"]);

/** The signals that end the agent in order. */
export const AGENT_STOP_SIGNALS: readonly Deno.Signal[] = Object.freeze(["SIGTERM", "SIGINT"]);

/** The signal by which the agent reads its configuration again. */
export const RELOAD_SIGNAL: Deno.Signal = "SIGHUP";

/** A signal that fires when the process is asked to end. Asked again, the process ends at once. */
export function untilAsked(): AbortSignal {
  const asked = new AbortController();
  const onSignal = () => asked.signal.aborted ? Deno.exit(1) : asked.abort();
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, onSignal);
  return asked.signal;
}
