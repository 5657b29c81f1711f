import type { RowId } from "./budgets.ts";

/** What was measured for a row. */
export interface Measurement {
  readonly id: RowId;
  /** In the unit of the row's budget; `null` when it went wrong. */
  readonly value: number | null;
  /** What a reader wants to know beside it. */
  readonly note: string;
  /** Everything behind the value, for the JSON. */
  readonly details: unknown;
}

/** The middle one; of an even number the mean of the two in the middle. `NaN` for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? NaN) + (sorted[Math.floor(half)] ?? NaN)) / 2;
}

/** Lowest and highest value, as text. */
export function range(values: readonly number[], digits: number): string {
  return `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`;
}

/** A measurement that went wrong, and why. */
export function failed(id: RowId, reason: string, details: unknown = null): Measurement {
  return { id, value: null, note: reason, details };
}
