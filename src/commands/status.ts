import { Exchange, HOST_LIMITS, HostClock, queryProvision } from "../agent/host/mod.ts";
import { ENDPOINTS, type ProvisionAnswer, type SocketAddress } from "../domain/wire/mod.ts";
import type { Clock } from "../runtime/clock.ts";
import { AgentError } from "../runtime/errors.ts";
import { SystemClock } from "../runtime/system_clock.ts";
import type { CommandOutput } from "./output.ts";

/** Between two queries, milliseconds. Source: agent 5.1, as all here. */
const QUERY_PAUSE_MS = 100;
/** A query gets at least this long, milliseconds, however little of the wait is left. */
const LEAST_QUERY_MS = 1_000;

/** Whom `--status` asks, and by what clock. */
export interface StatusContext {
  readonly listener: SocketAddress;
  /** Its monotonic time counts from the start of the process. */
  readonly clock: Clock;
  /** Ends the command early. */
  readonly signal: AbortSignal;
}

/**
 * Asks the running agent whether provisioning is finished. Returns the exit code: 0 finished, 1 not finished, 2 finished with
 * an error, which is printed.
 * @param waitSeconds how long since the start of the process an unfinished answer is asked for again
 */
export async function statusCommand(
  waitSeconds: number,
  output: CommandOutput,
  context: StatusContext = runningAgent(),
): Promise<0 | 1 | 2> {
  const { clock, signal } = context;
  const tick = BigInt(clock.wallMs()) * 1_000_000n;
  const waitMs = waitSeconds * 1000;
  let notify = true;
  let lastError = "";
  while (!signal.aborted) {
    try {
      const answer = await query(context, tick, notify, waitMs - clock.monotonicMs());
      if (answer.finished) return report(answer, output);
      lastError = "";
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      // DEVIATION D-62: the same failure is told once, not ten times a second.
      if (error.message !== lastError) {
        output.out(`Failed to query the current provision state with error: ${error.message}.\n`);
      }
      lastError = error.message;
    }
    notify = false;
    if (clock.monotonicMs() > waitMs) return 1;
    await clock.sleep(QUERY_PAUSE_MS, signal);
  }
  return 1;
}

function runningAgent(): StatusContext {
  const { signal } = new AbortController();
  return { listener: ENDPOINTS.listener, clock: new SystemClock(), signal };
}

function query(
  context: StatusContext,
  tick: bigint,
  notify: boolean,
  leftMs: number,
): Promise<ProvisionAnswer> {
  const { clock, listener, signal } = context;
  const wholeMs = Math.min(HOST_LIMITS.wholeMs, Math.max(LEAST_QUERY_MS, leftMs));
  const exchange = new Exchange(clock, undefined, { ...HOST_LIMITS, wholeMs });
  return queryProvision(listener, tick, notify, exchange, new HostClock(clock), signal);
}

function report(answer: ProvisionAnswer, output: CommandOutput): 0 | 2 {
  if (answer.errorMessage === "") return 0;
  output.out(`${answer.errorMessage.trimEnd()}\n`);
  return 2;
}
