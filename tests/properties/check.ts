import fc from "fast-check";

/**
 * Checks a law with a new seed each time; a failure prints seed and path. FAST_CHECK_SEED repeats a run, FAST_CHECK_RUNS
 * makes it longer.
 */
export function check<T>(property: fc.IProperty<T>, numRuns = 500): void {
  const seed = Deno.env.get("FAST_CHECK_SEED");
  const runs = Deno.env.get("FAST_CHECK_RUNS");
  fc.assert(property, {
    numRuns: runs === undefined ? numRuns : Number(runs),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  });
}
