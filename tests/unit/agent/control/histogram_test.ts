import assert from "node:assert/strict";
import {
  BUCKET_BOUNDS_S,
  BUCKET_COUNT,
  Histogram,
} from "../../../../src/agent/control/histogram.ts";

function bucketOf(ms: number): number {
  const histogram = new Histogram();
  histogram.add(ms);
  return histogram.counts.indexOf(1);
}

Deno.test("Histogram.add() puts each duration below the bound of its bucket and above the one before", () => {
  for (let us = 0; us < 20_000_000; us = Math.ceil(us * 1.17) + 1) {
    const bucket = bucketOf(us / 1000);
    const below = BUCKET_BOUNDS_S[bucket] ?? Infinity;
    const above = BUCKET_BOUNDS_S[bucket - 1] ?? 0;
    assert.ok(us / 1e6 <= below && us / 1e6 >= above, `${us} µs in bucket ${bucket}`);
  }
});

Deno.test("Histogram.add() has a bucket for what is very short and very long", () => {
  assert.equal(bucketOf(0), 0);
  assert.equal(bucketOf(0.0001), 0);
  assert.equal(bucketOf(60_000), BUCKET_COUNT);
  assert.equal(bucketOf(1e12), BUCKET_COUNT);
  assert.equal(bucketOf(Infinity), BUCKET_COUNT);
});

Deno.test("Histogram.add() leaves out what is no duration", () => {
  const histogram = new Histogram();
  histogram.add(NaN);
  histogram.add(-1);
  assert.equal(histogram.count, 0);
  histogram.add(2);
  histogram.add(3);
  assert.equal(histogram.count, 2);
  assert.equal(histogram.sumS, 0.005);
});
