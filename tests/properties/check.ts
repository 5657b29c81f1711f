import fc from "fast-check";

/**
 * Checks a law with a new seed each time; a failure prints seed and path. FAST_CHECK_SEED repeats a run, FAST_CHECK_FACTOR
 * multiplies its cases (the nightly task takes 100), FAST_CHECK_RUNS sets their number outright.
 */
export function check<T>(property: fc.IProperty<T>, numRuns = 500): void {
  const seed = Deno.env.get("FAST_CHECK_SEED");
  const runs = Deno.env.get("FAST_CHECK_RUNS");
  const factor = Number(Deno.env.get("FAST_CHECK_FACTOR") ?? 1);
  fc.assert(property, {
    numRuns: runs === undefined ? numRuns * factor : Number(runs),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  });
}
