import assert from "node:assert/strict";
import { AgentError } from "../../../src/runtime/errors.ts";
import type { HealthReporter, Part } from "../../../src/runtime/part.ts";
import { type Supervised, Supervisor } from "../../../src/runtime/supervisor.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../fakes/memory_logger.ts";

function bench() {
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  const reports: string[] = [];
  const supervisor = new Supervisor({
    clock,
    logger,
    random: () => 0,
    health: (part) => ({
      report: (state, code, message) => reports.push(`${part} ${state} ${code} ${message}`),
    }),
  });
  const stop = new AbortController();
  const run = (...parts: Supervised[]) => supervisor.run(parts, stop.signal);
  return { clock, logger, reports, stop, run, supervisor };
}

function part(
  name: string,
  run: (signal: AbortSignal, health: HealthReporter) => Promise<void>,
): Part {
  return { name, run };
}

const until = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });

/** A part that comes up and runs until it is told to stop. */
function steady(name: string, onEnd: () => void = () => {}): Part {
  return part(name, async (signal, health) => {
    health.report("RUNNING", "UP", "up");
    await until(signal);
    onEnd();
  });
}

Deno.test("Supervisor.run() stops the parts in the opposite order, one after the other", async () => {
  const { clock, run, stop } = bench();
  const ended: string[] = [];
  const slow = part("b", async (signal, health) => {
    health.report("RUNNING", "UP", "up");
    await until(signal);
    await clock.sleep(100);
    ended.push("b");
  });
  const done = run(
    { part: steady("a", () => ended.push("a")) },
    { part: slow },
    { part: steady("c", () => ended.push("c")) },
  );
  await clock.settle();
  stop.abort();
  await clock.advance(99);
  assert.deepEqual(ended, ["c"]);
  await clock.advance(1);
  assert.deepEqual(await done, { kind: "stopped", late: [] });
  assert.deepEqual(ended, ["c", "b", "a"]);
  assert.equal(clock.sleeping, 0);
});

Deno.test("Supervisor.run() leaves behind what does not end by its deadline, and names it", async () => {
  const { clock, run, stop, logger } = bench();
  const stuck = part("stuck", () => new Promise(() => {}));
  const done = run({ part: steady("a") }, { part: stuck, stopWithinMs: 300 });
  stop.abort();
  await clock.advance(300);
  assert.deepEqual(await done, { kind: "stopped", late: ["stuck"] });
  assert.deepEqual(logger.texts("warn"), ["part did not stop in time"]);
});

Deno.test("Supervisor.run() starts a failed part again after 250 ms doubling to 30 s, for ever", async () => {
  const { clock, run, stop, reports } = bench();
  const starts: number[] = [];
  const failing = part("f", () => {
    starts.push(clock.monotonicMs());
    return Promise.reject(new AgentError("BPF_LOAD", "Load the object"));
  });
  const done = run({ part: failing, upWithinMs: null });
  await clock.advance(180_000);
  const gaps = starts.slice(1).map((at, i) => at - (starts[i] ?? 0));
  assert.deepEqual(gaps.slice(0, 9), [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  assert.equal(reports[0], "f STOPPED BPF_LOAD Load the object");
  stop.abort();
  await done;
});

Deno.test("Supervisor.run() begins with the short wait again after a long healthy run", async () => {
  const { clock, run, stop } = bench();
  const starts: number[] = [];
  const mortal = part("m", async (signal, health) => {
    starts.push(clock.monotonicMs());
    health.report("RUNNING", "UP", "up");
    await clock.sleep(starts.length === 4 ? 30_000 : 0, signal);
    throw new Error("died");
  });
  const done = run({ part: mortal });
  await clock.advance(32_100);
  assert.deepEqual(starts, [0, 250, 750, 1750, 32_000]);
  stop.abort();
  await done;
});

Deno.test("Supervisor.run() restarts a part that returns by itself", async () => {
  const { clock, run, stop, reports, supervisor } = bench();
  let starts = 0;
  const done = run({ part: part("r", () => Promise.resolve(void starts++)), upWithinMs: null });
  await clock.advance(250);
  assert.equal(starts, 2);
  assert.deepEqual([...supervisor.restarts], [["r", 1]]);
  assert.match(reports[0] ?? "", /^r STOPPED PART_ENDED /);
  stop.abort();
  await done;
});

Deno.test("Supervisor.run() treats a part that throws before its first await like any other failure", async () => {
  const { clock, run, stop, logger, reports } = bench();
  const broken = part("t", () => {
    throw new TypeError("oops");
  });
  const odd = part("o", () => Promise.reject("no error object"));
  const done = run({ part: broken, upWithinMs: null }, { part: odd, upWithinMs: null });
  await clock.settle();
  assert.deepEqual(reports, [
    "t STOPPED PART_FAILED TypeError: oops",
    "o STOPPED PART_FAILED no error object",
  ]);
  assert.deepEqual(logger.lines[0]?.fields, {
    code: "PART_FAILED",
    cause: "TypeError: oops",
    waitMs: 250,
  });
  stop.abort();
  await done;
});

Deno.test("Supervisor.run() logs the detail of the program's own errors", async () => {
  const { clock, run, stop, logger } = bench();
  const error = new AgentError("BPF_ATTACH", "Attach", { detail: { errno: 1 } });
  const done = run({ part: part("d", () => Promise.reject(error)), upWithinMs: null });
  await clock.settle();
  assert.equal(logger.lines[0]?.part, "d");
  assert.equal(logger.lines[0]?.fields["errno"], 1);
  stop.abort();
  await done;
});

Deno.test("Supervisor.run() gives each run a signal of its own that fires when the run ends", async () => {
  const { clock, run, stop } = bench();
  const signals: AbortSignal[] = [];
  const done = run({
    part: part("s", (signal) => {
      signals.push(signal);
      return Promise.reject(new Error("x"));
    }),
    upWithinMs: null,
  });
  await clock.advance(250);
  assert.equal(signals.length, 2);
  assert.ok(signals[0]?.aborted);
  assert.notEqual(signals[0], signals[1]);
  stop.abort();
  await done;
});

Deno.test("Supervisor.run() gives up when a part never came up within 10 minutes, and stops the others", async () => {
  const { clock, run } = bench();
  let stopped = false;
  const done = run(
    { part: steady("good", () => stopped = true) },
    { part: part("bad", () => Promise.reject(new Error("x"))) },
  );
  await clock.advance(600_000);
  assert.deepEqual(await done, { kind: "never-up", part: "bad", late: [] });
  assert.equal(stopped, true);
});

Deno.test("Supervisor.run() forgives a part that was up once, and one that need not come up", async () => {
  const { clock, run, stop } = bench();
  let first = true;
  const flaky = part("flaky", (_, health) => {
    if (first) health.report("RUNNING", "UP", "up");
    first = false;
    return Promise.reject(new Error("x"));
  });
  const done = run(
    { part: flaky },
    { part: part("optional", until), upWithinMs: null },
  );
  await clock.advance(1_200_000);
  stop.abort();
  assert.deepEqual(await done, { kind: "stopped", late: [] });
});

Deno.test("Supervisor.run() starts nothing when it was told to stop before", async () => {
  const { run, stop } = bench();
  stop.abort();
  const done = run({ part: part("p", () => assert.fail("started")) });
  assert.deepEqual(await done, { kind: "stopped", late: [] });
});

Deno.test("Supervisor.run() only mentions a part that fails while it stops", async () => {
  const { clock, run, stop, logger, reports } = bench();
  const done = run({
    part: part("p", async (signal) => {
      await until(signal);
      throw new Error("late");
    }),
  });
  await clock.settle();
  stop.abort();
  await done;
  assert.deepEqual(logger.texts("warn"), ["part failed while it stopped"]);
  assert.deepEqual(reports, []);
});
