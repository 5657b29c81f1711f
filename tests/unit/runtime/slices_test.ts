import assert from "node:assert/strict";
import { SLICE_MS, slicedBy, unpaced } from "../../../src/runtime/slices.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

function* work(clock: FakeClock, steps: number, stepMs: number): Generator<void, string> {
  for (let step = 0; step < steps; step++) {
    clock.tick(stepMs);
    yield;
  }
  return "done";
}

Deno.test("slicedBy() rests whenever a slice is used up", async () => {
  const clock = new FakeClock();
  const pace = slicedBy(clock);
  const sleep = clock.sleep.bind(clock);
  let rests = 0;
  clock.sleep = (ms) => {
    rests++;
    return sleep(ms);
  };
  const running = pace(work(clock, 10, SLICE_MS / 2));
  assert.equal(rests, 1);
  while (clock.sleeping > 0) await clock.advance(10);
  assert.equal(rests, 5);
  assert.equal(await running, "done");
  assert.equal(rests, 5);
});

Deno.test("slicedBy() does small work without a rest", async () => {
  const clock = new FakeClock();
  const finished = slicedBy(clock)(work(clock, 3, 0));
  await clock.settle();
  assert.equal(clock.sleeping, 0);
  assert.equal(await finished, "done");
});

Deno.test("unpaced() does all at once", async () => {
  const clock = new FakeClock();
  const finished = unpaced(work(clock, 100, 1));
  assert.equal(clock.monotonicMs(), 100);
  assert.equal(await finished, "done");
});
