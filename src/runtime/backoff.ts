/** How the waits between attempts grow. */
export interface BackoffLimits {
  /** The first wait, milliseconds. */
  readonly firstMs: number;
  /** No wait is longer than this, milliseconds. */
  readonly capMs: number;
  /** Share of each wait that chance may take away, from 0 up to but not including 1. */
  readonly jitter: number;
}

/** 250 ms, doubled up to 30 s, each shortened by up to a fifth. */
export const DEFAULT_BACKOFF: BackoffLimits = Object.freeze({
  firstMs: 250,
  capMs: 30_000,
  jitter: 0.2,
});

/**
 * Waits that double up to a cap and are shortened at random, so that many who failed together do not return together.
 * Everything that could be wrong is checked here, once; `next` cannot fail.
 *
 * @throws RangeError when the limits make no sense.
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #wholeMs: number;

  /** `random` returns numbers from 0 up to but not including 1. */
  constructor(limits: BackoffLimits, random: () => number) {
    if (!Number.isFinite(limits.firstMs) || limits.firstMs <= 0) {
      throw new RangeError(
        `The first wait must be a positive number of ms, not \`${limits.firstMs}\``,
      );
    }
    if (!Number.isFinite(limits.capMs) || limits.capMs < limits.firstMs) {
      throw new RangeError(
        `The longest wait must not be shorter than the first, \`${limits.capMs}\` is`,
      );
    }
    if (!(limits.jitter >= 0 && limits.jitter < 1)) {
      throw new RangeError(`The jitter must be at least 0 and below 1, not \`${limits.jitter}\``);
    }
    this.#limits = limits;
    this.#random = random;
    this.#wholeMs = limits.firstMs;
  }

  /** The next wait, milliseconds. */
  next(): number {
    const wholeMs = this.#wholeMs;
    this.#wholeMs = Math.min(wholeMs * 2, this.#limits.capMs);
    return wholeMs * (1 - this.#limits.jitter * this.#random());
  }

  /** Starts again with the first wait. */
  reset(): void {
    this.#wholeMs = this.#limits.firstMs;
  }
}
