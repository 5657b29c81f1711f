/** The signals that end a command in order. */
export const STOP_SIGNALS: readonly Deno.Signal[] = Object.freeze(["SIGTERM", "SIGINT", "SIGHUP"]);

/** The signals that end the agent in order. */
export const AGENT_STOP_SIGNALS: readonly Deno.Signal[] = Object.freeze(["SIGTERM", "SIGINT"]);

/** The signal by which the agent reads its configuration again. */
export const RELOAD_SIGNAL: Deno.Signal = "SIGHUP";

/** A launcher passes on what the terminal sent to both of them: signals that come so close together are one wish. */
export const ONE_WISH_MS = 1_000;

/** A signal that fires when the process is asked to end. Asked again later than `ONE_WISH_MS`, the process ends at once. */
export function untilAsked(): AbortSignal {
  const asked = new AbortController();
  let askedMs = Infinity;
  const onSignal = () => {
    if (performance.now() - askedMs >= ONE_WISH_MS) Deno.exit(1);
    askedMs = Math.min(askedMs, performance.now());
    asked.abort();
  };
  for (const signal of STOP_SIGNALS) Deno.addSignalListener(signal, onSignal);
  return asked.signal;
}
