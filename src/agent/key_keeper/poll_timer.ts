import type { Clock } from "../../runtime/clock.ts";

/** Between polls while the host was not heard yet, milliseconds. Source: wire-protocol 1.3, as the next. */
const FREQUENT_MS = 1_000;
/** How long after the start of the process polls are that frequent, milliseconds. */
const FREQUENT_FOR_MS = 300_000;
/** DEVIATION D-57: between two polls that somebody asked for, milliseconds. Source: wire-protocol S-44. */
const WAKE_INTERVAL_MS = 1_000;

/** The waits between polls, and the wish for one before its time. At most one wish waits; one a second is granted. */
export class PollTimer {
  readonly #clock: Clock;
  #intervalMs: number;
  #endMs = 0;
  #wished = false;
  #grantedMs = -WAKE_INTERVAL_MS;
  #sleep = new AbortController();

  /** @param intervalMs between polls once the host was heard */
  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Changes the time between polls; a wait under way ends no later than the new interval from now. */
  setInterval(intervalMs: number): void {
    this.#intervalMs = intervalMs;
    this.#endMs = Math.min(this.#endMs, this.#clock.monotonicMs() + intervalMs);
    this.#sleep.abort();
  }

  /**
   * A wait begins now. The interval counts from the beginning of the last poll, so that what a poll takes does not add to
   * it; half of it is always waited, however long the poll took.
   *
   * @param frequent the host was not heard yet
   * @param polledMs when the last poll began, by the monotonic clock
   */
  begin(frequent: boolean, polledMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const isYoung = nowMs < FREQUENT_FOR_MS;
    const waitMs = frequent && isYoung ? Math.min(FREQUENT_MS, this.#intervalMs) : this.#intervalMs;
    this.#endMs = Math.max(polledMs + waitMs, nowMs + waitMs / 2);
  }

  /** Ends the wait early, or the next one if none is under way. */
  wake(): void {
    this.#wished = true;
    this.#sleep.abort();
  }

  /** Resolves with `due` at the end of the wait or when the signal fires, with `woken` when a wish was granted before. */
  async wait(signal: AbortSignal): Promise<"due" | "woken"> {
    while (!signal.aborted) {
      const nowMs = this.#clock.monotonicMs();
      if (nowMs >= this.#endMs) return "due";
      const grantMs = this.#grantedMs + WAKE_INTERVAL_MS;
      if (this.#wished && nowMs >= grantMs) {
        this.#wished = false;
        this.#grantedMs = nowMs;
        return "woken";
      }
      this.#sleep = new AbortController();
      const untilMs = this.#wished ? Math.min(grantMs, this.#endMs) : this.#endMs;
      await this.#clock.sleep(untilMs - nowMs, AbortSignal.any([signal, this.#sleep.signal]));
    }
    return "due";
  }
}
