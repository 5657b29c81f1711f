import type { Clock } from "./clock.ts";

/** Something with a time limit. */
export interface Watched {
  /** Monotonic milliseconds; `Infinity` for no limit. May be changed at any time. */
  readonly dueMs: number;
  /** The limit has passed. Called again at the next sweep unless `dueMs` was moved or the thing was removed. */
  expire(nowMs: number): void;
}

/**
 * Looks at all limits every so often. A timer for each request would cost more than the request's whole parsing, and
 * nobody needs these limits to the millisecond.
 */
export class Sweeper {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #watched = new Set<Watched>();
  readonly #stop = new AbortController();
  #running = false;

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  add(watched: Watched): void {
    this.#watched.add(watched);
    if (!this.#running && !this.#stop.signal.aborted) this.#run();
  }

  remove(watched: Watched): void {
    this.#watched.delete(watched);
  }

  /** Ends the sweeping for good. */
  close(): void {
    this.#stop.abort();
  }

  /** Runs only while there is something to watch. */
  async #run(): Promise<void> {
    this.#running = true;
    while (this.#watched.size > 0) {
      await this.#clock.sleep(this.#tickMs, this.#stop.signal);
      if (this.#stop.signal.aborted) break;
      const nowMs = this.#clock.monotonicMs();
      for (const each of this.#watched) {
        if (each.dueMs <= nowMs) each.expire(nowMs);
      }
    }
    this.#running = false;
  }
}
