import type { Clock } from "./clock.ts";

/** By when a loop wants to have come round again. Whoever watches it can tell a loop that waits from one that hangs. */
export class Pulse {
  readonly #clock: Clock;
  #sinceMs: number;
  #dueMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** The loop turns, and means to turn again within this time. */
  beat(withinMs: number): void {
    this.#sinceMs = this.#clock.monotonicMs();
    this.#dueMs = this.#sinceMs + withinMs;
  }

  /** The loop is at its end; nothing is expected of it. */
  rest(): void {
    this.#dueMs = Infinity;
  }

  /** How long ago the loop turned last, milliseconds, where that is too long; `null` while it is in time. */
  get hangsForMs(): number | null {
    const nowMs = this.#clock.monotonicMs();
    return nowMs > this.#dueMs ? nowMs - this.#sinceMs : null;
  }
}
