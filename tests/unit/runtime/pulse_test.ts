import assert from "node:assert/strict";
import { Pulse } from "../../../src/runtime/pulse.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

Deno.test("Pulse hangsForMs tells a loop that is late since when it turned, and null of every other", () => {
  const clock = new FakeClock();
  const pulse = new Pulse(clock);
  clock.tick(1e9);
  assert.equal(pulse.hangsForMs, null, "nothing is expected yet");
  pulse.beat(1_000);
  clock.tick(1_000);
  assert.equal(pulse.hangsForMs, null);
  clock.tick(1);
  assert.equal(pulse.hangsForMs, 1_001);
  pulse.beat(1_000);
  assert.equal(pulse.hangsForMs, null);
  clock.tick(2_000);
  pulse.rest();
  assert.equal(pulse.hangsForMs, null, "it is at its end");
});
