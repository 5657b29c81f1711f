import { Exchange, HOST_LIMITS, HostClock, queryProvision } from "../agent/host/mod.ts";
import {
  ENDPOINTS,
  type MissingPart,
  missingPartsOf,
  type ProvisionAnswer,
  type SocketAddress,
} from "../domain/wire/mod.ts";
import type { Clock } from "../runtime/clock.ts";
import { AgentError, type ErrorCode } from "../runtime/errors.ts";
import { SystemClock } from "../runtime/system_clock.ts";
import { listeningSockets } from "../runtime/tcp_table.ts";
import type { StatusOptions } from "./command_line.ts";
import type { CommandOutput } from "./output.ts";

/** Between two queries, milliseconds. Source: agent 5.1, as all here. */
const QUERY_PAUSE_MS = 100;
/** A query gets at least this long, milliseconds, however little of the wait is left. */
const LEAST_QUERY_MS = 1_000;
/** Wall and monotonic time drift apart by less than this, milliseconds, unless somebody sets the clock. */
const CLOCK_STEP_MS = 100;

/** Whom `--status` asks, and by what clock. */
export interface StatusContext {
  readonly listener: SocketAddress;
  /** Its monotonic time counts from the start of the process. */
  readonly clock: Clock;
  /** The kernel's table of TCP sockets; `null` where there is none. */
  readonly tcpTable: () => string | null;
  /** Ends the command early. */
  readonly signal: AbortSignal;
}

/** How the last query ended: the agent answered, nobody did, or what came was no answer. */
type Queried =
  | { readonly kind: "answered"; readonly answer: ProvisionAnswer }
  | { readonly kind: "unreachable" | "unusable"; readonly error: AgentError };

type Outcome = "finished" | "unfinished" | "failed" | "unreachable" | "unusable";

/** What others rely on, and what tells everything apart. */
const EXIT_CODES: Readonly<Record<Outcome, readonly [usual: number, detailed: number]>> = Object
  .freeze({
    finished: [0, 0],
    unfinished: [1, 1],
    failed: [2, 2],
    unreachable: [1, 3],
    unusable: [1, 4],
  });

/** Nobody listens, or nobody answers in time. */
const UNREACHABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["HOST_CONNECT", "HOST_TIMEOUT"]);

/**
 * Asks the running agent whether provisioning is finished. Returns the exit code: 0 finished, 1 not finished, 2 finished with
 * an error, which is printed; on demand 3 where nobody answers and 4 where what came was no answer.
 */
export async function statusCommand(
  options: StatusOptions,
  output: CommandOutput,
  context: StatusContext = runningAgent(),
): Promise<number> {
  const { clock, signal } = context;
  const question = new Question(clock);
  const waitMs = options.waitSeconds * 1000;
  let lastError = "";
  let last: Queried | null = null;
  let queries = 0;
  do {
    if (queries > 0) await clock.sleep(QUERY_PAUSE_MS, signal);
    queries++;
    last = await query(context, question, last, waitMs - clock.monotonicMs());
    const error = last.kind === "answered" ? "" : last.error.message;
    // DEVIATION D-62: the same failure is told once, not ten times a second.
    if (error !== "" && error !== lastError && !options.json) {
      output.out(`Failed to query the current provision state with error: ${error}.\n`);
    }
    lastError = error;
  } while (!isFinished(last) && clock.monotonicMs() <= waitMs && !signal.aborted);
  const outcome = outcomeOf(last);
  const exitCode = EXIT_CODES[outcome][options.detailedExitCodes ? 1 : 0];
  if (options.json) {
    const elapsedMs = Math.round(clock.monotonicMs());
    output.out(`${JSON.stringify({ outcome, exitCode, ...shown(last), queries, elapsedMs })}\n`);
  } else if (last.kind === "answered" && outcome === "failed") {
    output.out(`${last.answer.errorMessage.trimEnd()}\n`);
  }
  return exitCode;
}

/** When the question arose. */
class Question {
  readonly #clock: Clock;
  readonly #wallMs: number;
  readonly #monotonicMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wallMs = clock.wallMs();
    this.#monotonicMs = clock.monotonicMs();
  }

  /**
   * That moment in unix nanoseconds. DEVIATION D-180: by the clock as it is now, should somebody have set it since: the agent
   * answers by that clock too, and early in a boot it is set.
   */
  tick(): bigint {
    const elapsedMs = this.#clock.monotonicMs() - this.#monotonicMs;
    const stepMs = Math.round(this.#clock.wallMs() - elapsedMs - this.#wallMs);
    const isStep = Math.abs(stepMs) >= CLOCK_STEP_MS;
    return BigInt(Math.floor(this.#wallMs) + (isStep ? stepMs : 0)) * 1_000_000n;
  }
}

function runningAgent(): StatusContext {
  const { signal } = new AbortController();
  return { listener: ENDPOINTS.listener, clock: new SystemClock(), tcpTable, signal };
}

function tcpTable(): string | null {
  try {
    return Deno.readTextFileSync("/proc/self/net/tcp");
  } catch {
    return null;
  }
}

async function query(
  context: StatusContext,
  question: Question,
  last: Queried | null,
  leftMs: number,
): Promise<Queried> {
  const { clock, listener, signal } = context;
  const wholeMs = Math.min(HOST_LIMITS.wholeMs, Math.max(LEAST_QUERY_MS, leftMs));
  const exchange = new Exchange(clock, undefined, { ...HOST_LIMITS, wholeMs });
  // DEVIATION D-181: the wish for news of the host is said until an agent has heard it, not in the first round alone.
  const notify = last?.kind !== "answered";
  const tick = question.tick();
  try {
    const hostClock = new HostClock(clock);
    const answer = await queryProvision(listener, tick, notify, exchange, hostClock, signal);
    if (answer.finished) refuseStrangers(context);
    return { kind: "answered", answer };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { kind: UNREACHABLE.has(error.code) ? "unreachable" : "unusable", error };
  }
}

/**
 * DEVIATION D-184: the port is one that any user may take while no agent was there, and whoever says "finished" lets a
 * machine go on without its guard: only root's socket may. @throws AgentError LISTENER_FOREIGN
 */
function refuseStrangers({ listener, tcpTable }: StatusContext): void {
  const table = tcpTable();
  if (table === null) return;
  const sockets = listeningSockets(table, listener);
  if (sockets.length > 0 && sockets.every(({ uid }) => uid === 0)) return;
  const where = `\`${listener.address}:${listener.port}\``;
  const owner = sockets.find(({ uid }) => uid !== 0);
  throw new AgentError(
    "LISTENER_FOREIGN",
    owner === undefined
      ? `the listener ${where} that answered is gone`
      : `the listener ${where} belongs to user \`${owner.uid}\`, which is not the agent`,
  );
}

function isFinished(queried: Queried): boolean {
  return queried.kind === "answered" && queried.answer.finished;
}

function outcomeOf(queried: Queried): Outcome {
  if (queried.kind !== "answered") return queried.kind;
  const { finished, errorMessage } = queried.answer;
  if (!finished) return "unfinished";
  return errorMessage === "" ? "finished" : "failed";
}

/** The members of the JSON form that tell of the last query: each is there, `null` where there is nothing to tell. */
function shown(queried: Queried): {
  readonly finished: boolean | null;
  readonly missing: readonly MissingPart[];
  readonly error: { readonly code: ErrorCode; readonly message: string } | null;
} {
  if (queried.kind === "answered") {
    const { finished, errorMessage } = queried.answer;
    return { finished, missing: missingPartsOf(errorMessage), error: null };
  }
  const { code, message } = queried.error;
  return { finished: null, missing: [], error: { code, message } };
}
