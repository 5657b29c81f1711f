/** How much may happen, and how fast that comes back. */
export interface RateLimits {
  /** How many may happen at once after a long silence; at least 1. */
  readonly burst: number;
  /** How many come back each second; above 0. */
  readonly perSecond: number;
}

/**
 * A token bucket that counts what it turned away. It reads no clock: the caller says what time it is, in monotonic
 * milliseconds, so that one reading serves many limits.
 *
 * @throws RangeError when the limits make no sense.
 */
export class RateLimit {
  readonly #limits: RateLimits;
  #tokens: number;
  #filledAtMs: number | null = null;
  #turnedAway = 0;

  constructor(limits: RateLimits) {
    if (!(limits.burst >= 1)) {
      throw new RangeError(`The burst must be at least 1, not \`${limits.burst}\``);
    }
    if (!(limits.perSecond > 0)) {
      throw new RangeError(`The rate must be above 0 per second, not \`${limits.perSecond}\``);
    }
    this.#limits = limits;
    this.#tokens = limits.burst;
  }

  /** Whether one more may happen now. */
  admit(nowMs: number): boolean {
    const sinceMs = this.#filledAtMs === null ? 0 : Math.max(0, nowMs - this.#filledAtMs);
    this.#filledAtMs = nowMs;
    this.#tokens = Math.min(
      this.#limits.burst,
      this.#tokens + sinceMs / 1000 * this.#limits.perSecond,
    );
    if (this.#tokens < 1) {
      this.#turnedAway++;
      return false;
    }
    this.#tokens--;
    return true;
  }

  /** How many were turned away since the last call; 0 when none. */
  takeTurnedAway(): number {
    const count = this.#turnedAway;
    this.#turnedAway = 0;
    return count;
  }
}
