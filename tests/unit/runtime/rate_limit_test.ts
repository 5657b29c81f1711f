import assert from "node:assert/strict";
import { RateLimit } from "../../../src/runtime/rate_limit.ts";

function admitted(limit: RateLimit, times: number, nowMs: number): number {
  let count = 0;
  for (let i = 0; i < times; i++) if (limit.admit(nowMs)) count++;
  return count;
}

Deno.test("RateLimit.admit() lets a burst through and turns the rest away", () => {
  const limit = new RateLimit({ burst: 5, perSecond: 2 });
  assert.equal(admitted(limit, 8, 1000), 5);
});

Deno.test("RateLimit.admit() gives back what the rate says, and never more than the burst", () => {
  const limit = new RateLimit({ burst: 5, perSecond: 2 });
  admitted(limit, 5, 0);
  assert.equal(admitted(limit, 9, 1500), 3);
  assert.equal(admitted(limit, 99, 1_000_000), 5);
});

Deno.test("RateLimit.admit() gives nothing for a time that goes back", () => {
  const limit = new RateLimit({ burst: 2, perSecond: 1 });
  admitted(limit, 2, 5000);
  assert.equal(admitted(limit, 1, 1000), 0);
});

Deno.test("RateLimit.takeTurnedAway() tells the count once", () => {
  const limit = new RateLimit({ burst: 1, perSecond: 1 });
  admitted(limit, 4, 0);
  assert.equal(limit.takeTurnedAway(), 3);
  assert.equal(limit.takeTurnedAway(), 0);
});

Deno.test("RateLimit refuses limits that make no sense when it is built", () => {
  for (const limits of [{ burst: 0, perSecond: 1 }, { burst: NaN, perSecond: 1 }]) {
    assert.throws(() => new RateLimit(limits), /burst/);
  }
  for (const limits of [{ burst: 1, perSecond: 0 }, { burst: 1, perSecond: NaN }]) {
    assert.throws(() => new RateLimit(limits), /rate/);
  }
});
