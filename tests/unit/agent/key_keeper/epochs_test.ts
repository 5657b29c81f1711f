import assert from "node:assert/strict";
import { Epochs } from "../../../../src/agent/key_keeper/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryEpochStore } from "../../../fakes/memory_epoch_store.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

const NOW = Date.UTC(2026, 0, 6, 7, 8, 9, 123);

function stand(kept: number | null) {
  const store = new MemoryEpochStore(kept);
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  return { store, clock, logger, epochs: new Epochs(store, clock, logger) };
}

Deno.test("Epochs go on from what is kept, over any number of restarts", async () => {
  const { store, clock, logger, epochs } = stand(41);
  assert.equal(await epochs.first(), 42);
  assert.equal(store.kept, 41, "the policy before the host was heard is none that was installed");
  assert.equal(await epochs.next(), 43);
  assert.equal(await epochs.next(), 44);
  const after = new Epochs(store, clock, logger);
  assert.equal(await after.first(), 45);
  assert.equal(await after.next(), 46);
  assert.deepEqual(logger.lines, []);
});

Deno.test("Epochs.first() takes the time for a number that is lost or cannot be read", async () => {
  const lost = stand(null);
  assert.equal(await lost.epochs.first(), NOW);
  assert.equal(await lost.epochs.next(), NOW + 1);
  const broken = stand(7);
  broken.store.failing.add("read");
  assert.equal(await broken.epochs.first(), NOW);
  assert.deepEqual(broken.logger.texts("warn"), ["last policy epoch is lost"]);
  broken.store.failing.clear();
  assert.equal(await broken.epochs.next(), NOW + 1);
  assert.equal(broken.store.kept, NOW + 1);
});

Deno.test("Epochs.next() gives no number out again after one could not be kept", async () => {
  const { store, clock, logger, epochs } = stand(7);
  await epochs.first();
  store.failing.add("write");
  const unkept = await epochs.next();
  assert.equal(unkept, NOW);
  assert.equal(await epochs.next(), NOW + 1);
  assert.equal(store.kept, null, "the old number is no longer there to be taken for the last");
  assert.deepEqual(logger.texts("error"), ["policy epoch is not kept", "policy epoch is not kept"]);
  clock.tick(60_000);
  store.failing.clear();
  const after = new Epochs(store, clock, logger);
  assert.ok(await after.first() > unkept + 1);
});

Deno.test("Epochs.next() says when the old number could not be removed", async () => {
  const { store, logger, epochs } = stand(7);
  await epochs.first();
  store.failing.add("write").add("clear");
  await epochs.next();
  assert.deepEqual(logger.texts("warn"), ["old policy epoch stays"]);
});

Deno.test("Epochs throw what is a bug", async () => {
  const { store, epochs } = stand(7);
  store.read = () => Promise.reject(new RangeError("a bug"));
  store.write = () => Promise.reject(new RangeError("a bug"));
  await assert.rejects(epochs.first(), RangeError);
  await assert.rejects(epochs.next(), RangeError);
});
