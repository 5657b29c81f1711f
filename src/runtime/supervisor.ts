import { Backoff, type BackoffLimits, DEFAULT_BACKOFF } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { AgentError } from "./errors.ts";
import type { LogFields, Logger } from "./logger.ts";
import type { HealthReporter, HealthState, Part } from "./part.ts";

/** A part that ran this long before it failed starts again with the first, short wait. */
const STABLE_AFTER_MS = 30_000;
const DEFAULT_UP_WITHIN_MS = 600_000;
const DEFAULT_STOP_WITHIN_MS = 5_000;

/** A part and how patient the supervisor is with it. */
export interface Supervised {
  readonly part: Part;
  /** The part must have reported RUNNING once within this time of the start, milliseconds; `null`: it need not. 10 min. */
  readonly upWithinMs?: number | null;
  /** How long the part may take to end when it is told to stop, milliseconds. 5 s. */
  readonly stopWithinMs?: number;
}

/** How a run ended. `late` names the parts that had not ended by their deadline. */
export type SupervisorOutcome =
  | { readonly kind: "stopped"; readonly late: readonly string[] }
  | { readonly kind: "never-up"; readonly part: string; readonly late: readonly string[] };

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** Where a part's health goes. */
  readonly health: (part: string) => HealthReporter;
  readonly backoff?: BackoffLimits;
}

/** Keeps parts running: a part that fails is started again after a growing wait, for ever. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #restarts = new Map<string, number>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** How often each part was started again; parts that never failed are not in it. */
  get restarts(): ReadonlyMap<string, number> {
    return this.#restarts;
  }

  /**
   * Starts all parts in the order given, and returns when `signal` fired or a part did not come up in time. Before that it
   * stops them in the opposite order, one after the other, each within its deadline; what is late is left behind.
   */
  async run(parts: readonly Supervised[], signal: AbortSignal): Promise<SupervisorOutcome> {
    const runners = parts.map((supervised) =>
      new Runner(supervised, this.#options, (name) => this.#countRestart(name))
    );
    const neverUp = await new Promise<string | null>((resolve) => {
      if (signal.aborted) return resolve(null);
      signal.addEventListener("abort", () => resolve(null), { once: true });
      for (const runner of runners) runner.start(() => resolve(runner.name));
    });
    const late: string[] = [];
    for (const runner of runners.reverse()) {
      if (!await runner.stop()) late.push(runner.name);
    }
    return neverUp === null ? { kind: "stopped", late } : { kind: "never-up", part: neverUp, late };
  }

  #countRestart(name: string): void {
    this.#restarts.set(name, (this.#restarts.get(name) ?? 0) + 1);
  }
}

/** One part with everything around it. */
class Runner {
  readonly name: string;
  readonly #part: Part;
  readonly #upWithinMs: number | null;
  readonly #stopWithinMs: number;
  readonly #options: SupervisorOptions;
  readonly #health: HealthReporter;
  readonly #logger: Logger;
  readonly #backoff: Backoff;
  readonly #onRestart: (name: string) => void;
  readonly #stopping = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  #wasUp = false;

  constructor(
    supervised: Supervised,
    options: SupervisorOptions,
    onRestart: (name: string) => void,
  ) {
    this.#onRestart = onRestart;
    this.name = supervised.part.name;
    this.#part = supervised.part;
    this.#upWithinMs = supervised.upWithinMs === undefined
      ? DEFAULT_UP_WITHIN_MS
      : supervised.upWithinMs;
    this.#stopWithinMs = supervised.stopWithinMs ?? DEFAULT_STOP_WITHIN_MS;
    this.#options = options;
    this.#logger = options.logger.child(this.name);
    this.#backoff = new Backoff(options.backoff ?? DEFAULT_BACKOFF, options.random);
    const health = options.health(this.name);
    this.#health = {
      report: (state: HealthState, code: string, message: string) => {
        if (state === "RUNNING") this.#wasUp = true;
        health.report(state, code, message);
      },
    };
  }

  start(onNeverUp: () => void): void {
    this.#ended = this.#loop();
    if (this.#upWithinMs !== null) this.#watchStart(this.#upWithinMs, onNeverUp);
  }

  /** Returns whether the part ended in time. */
  async stop(): Promise<boolean> {
    this.#stopping.abort();
    const enough = new AbortController();
    const inTime = await Promise.race([
      this.#ended.then(() => true),
      this.#options.clock.sleep(this.#stopWithinMs, enough.signal).then(() => false),
    ]);
    enough.abort();
    if (!inTime) this.#logger.warn("part did not stop in time", { waitedMs: this.#stopWithinMs });
    return inTime;
  }

  async #watchStart(upWithinMs: number, onNeverUp: () => void): Promise<void> {
    await this.#options.clock.sleep(upWithinMs, this.#stopping.signal);
    if (this.#wasUp || this.#stopping.signal.aborted) return;
    this.#logger.error("part never came up", { waitedMs: upWithinMs });
    onNeverUp();
  }

  async #loop(): Promise<void> {
    const stop = this.#stopping.signal;
    while (!stop.aborted) {
      const startedMs = this.#options.clock.monotonicMs();
      const failure = await this.#runOnce();
      if (stop.aborted) break;
      if (this.#options.clock.monotonicMs() - startedMs >= STABLE_AFTER_MS) this.#backoff.reset();
      const waitMs = this.#backoff.next();
      this.#health.report("STOPPED", failure.code, failure.message);
      this.#logger.error("part failed and will be started again", {
        ...failure.detail,
        code: failure.code,
        cause: failure.message,
        waitMs: Math.round(waitMs),
      });
      await this.#options.clock.sleep(waitMs, stop);
      if (!stop.aborted) this.#onRestart(this.name);
    }
  }

  /** Runs the part once, with a signal of its own that fires at the end, so that nothing of this run outlives it. */
  async #runOnce(): Promise<Failure> {
    const run = new AbortController();
    const end = () => run.abort();
    this.#stopping.signal.addEventListener("abort", end, { once: true });
    try {
      await this.#part.run(run.signal, this.#health);
      return { code: "PART_ENDED", message: "The part ended by itself", detail: {} };
    } catch (error) {
      if (this.#stopping.signal.aborted) {
        this.#logger.warn("part failed while it stopped", { cause: describe(error).message });
      }
      return describe(error);
    } finally {
      this.#stopping.signal.removeEventListener("abort", end);
      run.abort();
    }
  }
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly detail: LogFields;
}

function describe(error: unknown): Failure {
  if (error instanceof AgentError) {
    return { code: error.code, message: error.message, detail: error.detail };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: "PART_FAILED", message, detail: {} };
}
