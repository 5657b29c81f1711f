/** The signals that end a command in order. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Object.freeze(["SIGTERM", "SIGINT", "SIGHUP"]);

/** A signal that fires when the process is asked to end. Asked again, the process ends at once. */
export function untilAsked(): AbortSignal {
  const asked = new AbortController();
  const onSignal = () => asked.signal.aborted ? Deno.exit(1) : asked.abort();
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, onSignal);
  return asked.signal;
}
