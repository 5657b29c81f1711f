import assert from "node:assert/strict";
import { Sweeper, type Watched } from "../../../src/runtime/sweeper.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

function watched(dueMs: number): Watched & { dueMs: number; expired: number[] } {
  const expired: number[] = [];
  return { dueMs, expired, expire: (nowMs) => expired.push(nowMs) };
}

Deno.test("Sweeper expires what is due at the next sweep, again and again until it is removed", async () => {
  const clock = new FakeClock();
  const sweeper = new Sweeper(clock, 100);
  const each = watched(150);
  sweeper.add(each);
  await clock.advance(199);
  assert.deepEqual(each.expired, []);
  await clock.advance(201);
  assert.deepEqual(each.expired, [200, 300, 400]);
  sweeper.remove(each);
  await clock.advance(500);
  assert.equal(each.expired.length, 3);
});

Deno.test("Sweeper sees a limit that was moved", async () => {
  const clock = new FakeClock();
  const sweeper = new Sweeper(clock, 100);
  const each = watched(150);
  sweeper.add(each);
  each.dueMs = Infinity;
  await clock.advance(1_000);
  assert.deepEqual(each.expired, []);
});

Deno.test("Sweeper runs only while there is something to watch", async () => {
  const clock = new FakeClock();
  const sweeper = new Sweeper(clock, 100);
  assert.equal(clock.sleeping, 0);
  const each = watched(Infinity);
  sweeper.add(each);
  sweeper.add(watched(Infinity));
  assert.equal(clock.sleeping, 1);
  sweeper.remove(each);
  await clock.advance(100);
  assert.equal(clock.sleeping, 1, "one is left");
});

Deno.test("Sweeper stops when the last one is removed and starts again with the next", async () => {
  const clock = new FakeClock();
  const sweeper = new Sweeper(clock, 100);
  const each = watched(Infinity);
  sweeper.add(each);
  sweeper.remove(each);
  await clock.advance(100);
  assert.equal(clock.sleeping, 0);
  const next = watched(0);
  sweeper.add(next);
  await clock.advance(100);
  assert.deepEqual(next.expired, [200]);
});

Deno.test("Sweeper close() ends the sweeping for good", async () => {
  const clock = new FakeClock();
  const sweeper = new Sweeper(clock, 100);
  const each = watched(0);
  sweeper.add(each);
  sweeper.close();
  sweeper.add(watched(0));
  await clock.advance(1_000);
  assert.deepEqual(each.expired, []);
  assert.equal(clock.sleeping, 0);
  assert.equal(sweeper.nowMs(), 1_000);
});
