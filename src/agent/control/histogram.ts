/** Upper bounds are powers of two of a microsecond: the place of a value is one instruction, without a search. */
const SMALLEST_POWER = 3;
const LARGEST_POWER = 24;
/** How many bounds there are; one more bucket holds what is above the last. */
export const BUCKET_COUNT = LARGEST_POWER - SMALLEST_POWER + 1;

/** The bounds in seconds: 8 µs, 16 µs and so on up to 16.8 s. A value that equals a bound may fall into the next bucket. */
export const BUCKET_BOUNDS_S: readonly number[] = Object.freeze(
  Array.from({ length: BUCKET_COUNT }, (_, index) => 2 ** (SMALLEST_POWER + index) / 1e6),
);

/** Counts durations in buckets that never change. No allocation after it was made. */
export class Histogram {
  /** How many fell into each bucket by itself; the last one is without a bound. */
  readonly counts = new Float64Array(BUCKET_COUNT + 1);
  #sumMs = 0;
  #count = 0;

  /** Counts one duration, milliseconds. What is no duration (`NaN`, a negative number) is left out. */
  add(ms: number): void {
    if (!(ms >= 0)) return;
    // The number of binary digits of the whole microseconds; clz32 looks at 32 of them, about 71 minutes.
    const digits = ms < 4e6 ? 32 - Math.clz32(ms * 1000) : 32;
    const bucket = digits <= SMALLEST_POWER
      ? 0
      : digits > LARGEST_POWER
      ? BUCKET_COUNT
      : digits - SMALLEST_POWER;
    this.counts[bucket]!++;
    this.#sumMs += ms;
    this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  /** Of all durations, seconds. */
  get sumS(): number {
    return this.#sumMs / 1000;
  }
}
