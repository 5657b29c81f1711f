import assert from "node:assert/strict";
import { Backoff, DEFAULT_BACKOFF } from "../../../src/runtime/backoff.ts";

const noChance = () => 0;

Deno.test("Backoff.next() doubles from the first wait up to the cap", () => {
  const backoff = new Backoff({ firstMs: 250, capMs: 1500, jitter: 0 }, noChance);
  const waits = [1, 2, 3, 4, 5].map(() => backoff.next());
  assert.deepEqual(waits, [250, 500, 1000, 1500, 1500]);
});

Deno.test("Backoff.next() shortens each wait by chance, never below the jitter's share", () => {
  const almostOne = new Backoff({ firstMs: 1000, capMs: 1000, jitter: 0.2 }, () => 0.999999);
  const wait = almostOne.next();
  assert.ok(wait >= 800 && wait < 801, `${wait}`);
  assert.equal(new Backoff({ firstMs: 1000, capMs: 1000, jitter: 0.2 }, noChance).next(), 1000);
});

Deno.test("Backoff.next() stays finite after very many failures", () => {
  const backoff = new Backoff(DEFAULT_BACKOFF, noChance);
  for (let i = 0; i < 10_000; i++) backoff.next();
  assert.equal(backoff.next(), 30_000);
});

Deno.test("Backoff.reset() starts again with the first wait", () => {
  const backoff = new Backoff(DEFAULT_BACKOFF, noChance);
  backoff.next();
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 250);
});

Deno.test("Backoff refuses limits that make no sense when it is built", () => {
  const wrong = [
    { firstMs: 0, capMs: 10, jitter: 0 },
    { firstMs: NaN, capMs: 10, jitter: 0 },
    { firstMs: 20, capMs: 10, jitter: 0 },
    { firstMs: 1, capMs: Infinity, jitter: 0 },
    { firstMs: 1, capMs: 10, jitter: 1 },
    { firstMs: 1, capMs: 10, jitter: -0.1 },
    { firstMs: 1, capMs: 10, jitter: NaN },
  ];
  for (const limits of wrong) assert.throws(() => new Backoff(limits, noChance), RangeError);
});
