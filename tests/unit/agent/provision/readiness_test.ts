import assert from "node:assert/strict";
import { Readiness } from "../../../../src/agent/provision/mod.ts";
import { provisionErrorMessage } from "../../../../src/domain/wire/mod.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

function stand(clock = new FakeClock()) {
  const logger = new MemoryLogger();
  const written: string[] = [];
  const tags = {
    fails: false,
    write(errorMessage: string): Promise<void> {
      if (this.fails) return Promise.reject(new AgentError("FILE_WRITE", "write it: full"));
      written.push(errorMessage);
      return Promise.resolve();
    },
    removed: 0,
    remove(): Promise<void> {
      if (this.fails) return Promise.reject(new AgentError("FILE_WRITE", "remove it: read-only"));
      this.removed++;
      return Promise.resolve();
    },
  };
  const results: string[] = [];
  const readiness = new Readiness({
    clock,
    logger,
    tags,
    messageOf: (flag) => `${flag} is late`,
    onResult: (text) => results.push(text),
  });
  const stop = new AbortController();
  const health: string[] = [];
  const start = () =>
    readiness.run(stop.signal, { report: (state, code) => health.push(`${state} ${code}`) });
  const setAll = () => {
    readiness.set("redirector");
    readiness.set("keyLatch");
    readiness.set("listener");
  };
  const errorMessage = () => provisionErrorMessage(readiness.missing());
  return {
    clock,
    errorMessage,
    logger,
    tags,
    written,
    results,
    readiness,
    stop,
    start,
    setAll,
    health,
  };
}

/** The tick of the clock's moment, in milliseconds. */
function tickMs(tick: bigint): number {
  return Number(tick / 1_000_000n);
}

Deno.test("set() finishes with the third flag, whatever the order", async () => {
  const flags = ["redirector", "keyLatch", "listener"] as const;
  for (const order of [[0, 1, 2], [2, 1, 0], [1, 0, 2]]) {
    const { clock, errorMessage, readiness, written } = stand();
    readiness.set(flags[order[0]!]!);
    readiness.set(flags[order[1]!]!);
    readiness.set(flags[order[1]!]!);
    assert.equal(readiness.finishedTick, 0n);
    assert.notEqual(errorMessage(), "");
    readiness.set(flags[order[2]!]!);
    assert.equal(tickMs(readiness.finishedTick), clock.wallMs());
    assert.equal(errorMessage(), "");
    await clock.settle();
    assert.deepEqual(written, [""]);
  }
});

Deno.test("set() gives a tick that no question of the same millisecond is newer than", () => {
  const { clock, readiness, setAll } = stand();
  setAll();
  const lastNanosecond = BigInt(clock.wallMs()) * 1_000_000n + 999_999n;
  assert.equal(readiness.finishedTick, lastNanosecond);
});

Deno.test("set() renews tick and tag files each time once all are ready", async () => {
  const { clock, readiness, setAll, written } = stand();
  setAll();
  await clock.settle();
  const first = readiness.finishedTick;
  clock.tick(5_000);
  readiness.set("keyLatch");
  await clock.settle();
  assert.equal(readiness.finishedTick - first, 5_000_000_000n);
  assert.deepEqual(written, ["", ""]);
});

Deno.test("missing() has a line for each missing part, in the order of the contract", () => {
  const { errorMessage, readiness } = stand();
  assert.equal(
    errorMessage(),
    "ebpfProgramStatus - redirector is late\r\nkeyLatchStatus - keyLatch is late\r\n" +
      "proxyListenerStatus - listener is late\r\n",
  );
  readiness.set("keyLatch");
  assert.equal(
    errorMessage(),
    "ebpfProgramStatus - redirector is late\r\nproxyListenerStatus - listener is late\r\n",
  );
});

Deno.test("run() gives up after 120 s, and a later completion counts all the same", async () => {
  const { clock, logger, readiness, start, stop, setAll, written, health } = stand();
  const running = start();
  readiness.set("listener");
  await clock.advance(119_999);
  assert.equal(readiness.finishedTick, 0n);
  await clock.advance(1);
  assert.equal(tickMs(readiness.finishedTick), clock.wallMs());
  const failed = "ebpfProgramStatus - redirector is late\r\nkeyLatchStatus - keyLatch is late\r\n";
  assert.deepEqual(written, [failed]);
  assert.equal(logger.texts("error").length, 1);
  await clock.advance(600_000);
  assert.equal(written.length, 1, "the time is up once");
  setAll();
  await clock.settle();
  assert.deepEqual(written, [failed, ""]);
  assert.equal(tickMs(readiness.finishedTick), clock.wallMs());
  stop.abort();
  await running;
  assert.deepEqual(health, ["RUNNING PROVISION_WATCHING", "STOPPED PROVISION_STOPPED"]);
});

Deno.test("run() does not give up on what finished in time", async () => {
  const { clock, start, stop, setAll, written, readiness } = stand();
  const running = start();
  setAll();
  const tick = readiness.finishedTick;
  await clock.advance(500_000);
  assert.equal(readiness.finishedTick, tick);
  assert.deepEqual(written, [""]);
  stop.abort();
  await running;
});

Deno.test("clear() opens provisioning again and starts its time anew", async () => {
  const { clock, errorMessage, start, stop, setAll, written, readiness, tags } = stand();
  const running = start();
  setAll();
  await clock.advance(300_000);
  const removed = tags.removed;
  readiness.clear("keyLatch");
  assert.equal(readiness.finishedTick, 0n);
  assert.equal(errorMessage(), "keyLatchStatus - keyLatch is late\r\n");
  await clock.settle();
  assert.equal(
    tags.removed,
    removed + 1,
    "nobody waiting for the files is told that it is finished",
  );
  await clock.advance(119_999);
  assert.equal(readiness.finishedTick, 0n);
  await clock.advance(1);
  assert.notEqual(readiness.finishedTick, 0n);
  assert.deepEqual(written, ["", "keyLatchStatus - keyLatch is late\r\n"]);
  stop.abort();
  await running;
});

Deno.test("clear() within the first 120 s starts the time anew, too", async () => {
  const { clock, start, stop, readiness } = stand();
  const running = start();
  readiness.set("keyLatch");
  await clock.advance(100_000);
  readiness.clear("keyLatch");
  await clock.advance(119_999);
  assert.equal(readiness.finishedTick, 0n);
  await clock.advance(1);
  assert.notEqual(readiness.finishedTick, 0n);
  stop.abort();
  await running;
});

Deno.test("clear() of a flag that is not set changes nothing", () => {
  const { readiness, logger } = stand();
  readiness.clear("keyLatch");
  assert.equal(logger.lines.length, 0);
});

Deno.test("run() started again by the supervisor keeps the time of the first start", async () => {
  const { clock, readiness, start, stop } = stand();
  const first = new AbortController();
  const silent = { report: () => {} };
  const earlier = readiness.run(first.signal, silent);
  await clock.advance(60_000);
  first.abort();
  await earlier;
  const running = start();
  await clock.advance(60_000);
  assert.notEqual(readiness.finishedTick, 0n);
  stop.abort();
  await running;
});

Deno.test("set() goes on when the tag files cannot be written, and tries until they are", async () => {
  const { clock, logger, readiness, setAll, tags, written } = stand();
  tags.fails = true;
  setAll();
  await clock.advance(60_000);
  assert.notEqual(readiness.finishedTick, 0n);
  assert.deepEqual(logger.texts("error"), ["tag files are not written"], "told once");
  tags.fails = false;
  await clock.advance(5_000);
  assert.deepEqual(written, [""]);
  assert.equal(logger.texts("info").at(-1), "tag files are written again");
  await clock.advance(60_000);
  assert.deepEqual(written, [""], "once is enough");
});

Deno.test("run() takes away what an earlier start left, before anything is finished", async () => {
  const { clock, start, stop, setAll, tags, written } = stand();
  const running = start();
  await clock.settle();
  assert.deepEqual([tags.removed, written], [1, []]);
  setAll();
  await clock.settle();
  assert.deepEqual([tags.removed, written], [1, [""]]);
  stop.abort();
  await running;
});

/** The machine's clock tells whole milliseconds, and measures fractions. */
class CoarseClock extends FakeClock {
  override wallMs(): number {
    return Math.floor(super.wallMs());
  }
}

Deno.test("finishedTick is never older than a question of its own millisecond, however the clocks are read", () => {
  for (let finish = 0; finish < 1; finish += 0.07) {
    for (let later = 0; later < 3; later += 0.11) {
      const clock = new CoarseClock();
      clock.tick(finish);
      const asked = BigInt(clock.wallMs()) * 1_000_000n;
      const { readiness, setAll } = stand(clock);
      setAll();
      clock.tick(later);
      const tick = readiness.finishedTick;
      assert.ok(tick >= asked, `finished at ${finish}, read ${later} later`);
      assert.ok(tick < asked + 3_000_000n, `finished at ${finish}, read ${later} later`);
    }
  }
});

Deno.test("run() ends while the tag files cannot be written", async () => {
  const { clock, start, stop, tags, written } = stand();
  tags.fails = true;
  const running = start();
  await clock.advance(12_000);
  stop.abort();
  await running;
  assert.deepEqual([tags.removed, written], [0, []]);
  assert.equal(clock.sleeping, 0);
});

Deno.test("finishedTick follows the clock when somebody sets it", () => {
  const { clock, readiness, setAll } = stand();
  setAll();
  const before = readiness.finishedTick;
  clock.tick(10_000);
  assert.equal(readiness.finishedTick, before);
  clock.jumpWall(-86_400_000);
  assert.equal(readiness.finishedTick, before - 86_400_000_000_000n);
});

Deno.test("set() writes one after the other, and of those that wait the newest alone", async () => {
  const { clock, readiness, tags, written, setAll } = stand();
  const release: (() => void)[] = [];
  tags.write = (errorMessage: string) => {
    written.push(errorMessage);
    return new Promise((resolve) => release.push(resolve));
  };
  setAll();
  await clock.settle();
  for (let times = 0; times < 10; times++) readiness.set("listener");
  await clock.settle();
  assert.equal(written.length, 1);
  release[0]!();
  await clock.settle();
  assert.equal(written.length, 2);
  release[1]!();
});

Deno.test("run() tells each result once, in the words of the serial console", async () => {
  const { clock, readiness, results, start, stop } = stand();
  const running = start();
  readiness.set("redirector");
  await clock.advance(120_000);
  assert.deepEqual(results, [
    "keyLatchStatus - keyLatch is late\r\nproxyListenerStatus - listener is late\r\n",
  ]);
  stop.abort();
  await running;
  const other = stand();
  other.setAll();
  other.setAll();
  assert.deepEqual(other.results, ["Provision finished successfully"]);
});
