import assert from "node:assert/strict";
import { LifeSign } from "../../../src/runtime/life_sign.ts";
import { Pulse } from "../../../src/runtime/pulse.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../fakes/memory_logger.ts";

interface Stand {
  readonly clock: FakeClock;
  readonly logger: MemoryLogger;
  readonly pulse: Pulse;
  readonly health: string[];
  readonly told: string[];
  /** Signs of life since the last call. */
  readonly signs: () => number;
  status: string;
}

async function withStand(
  everyMs: number | null,
  play: (stand: Stand) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  let count = 0;
  const stand: Stand = {
    clock,
    logger: new MemoryLogger(),
    pulse: new Pulse(clock),
    health: [],
    told: [],
    signs: () => [count, count = 0][0] ?? 0,
    status: "Serving",
  };
  const sign = new LifeSign({
    clock,
    logger: stand.logger,
    notify: { watchdog: () => void count++, status: (text) => void stand.told.push(text) },
    everyMs,
    loops: [{ name: "a", pulse: new Pulse(clock) }, { name: "b", pulse: stand.pulse }],
    status: () => stand.status,
  });
  const stop = new AbortController();
  const running = sign.run(stop.signal, {
    report: (state, code, message) => void stand.health.push(`${state} ${code} ${message}`),
  });
  await clock.settle();
  await play(stand);
  stop.abort();
  await running;
  assert.equal(clock.sleeping, 0);
}

Deno.test("LifeSign run() tells the manager as often as it wants to hear", () =>
  withStand(10_000, async ({ clock, signs }) => {
    assert.equal(signs(), 1, "at once");
    await clock.advance(60_000);
    assert.equal(signs(), 6);
  }));

Deno.test("LifeSign run() says nothing while a loop hangs, tells which, and goes on when it turns again", () =>
  withStand(10_000, async ({ clock, signs, pulse, health, logger }) => {
    pulse.beat(25_000);
    await clock.advance(20_000);
    assert.equal(signs(), 3);
    await clock.advance(60_000);
    assert.equal(signs(), 0);
    assert.deepEqual(health, ["RUNNING ALIVE All loops turn", "STOPPED LOOP_HANGS Hangs: b"]);
    const errors = logger.lines.filter(({ level }) => level === "error");
    assert.deepEqual(errors.map(({ text, fields }) => [text, fields]), [
      ["loop hangs", { loop: "b", forMs: 30_000 }],
    ]);
    pulse.beat(25_000);
    await clock.advance(10_000);
    assert.equal(signs(), 1);
    assert.equal(health.at(-1), "RUNNING ALIVE All loops turn");
  }));

Deno.test("LifeSign run() looks at the loops also where nobody watches", () =>
  withStand(null, async ({ clock, pulse, health }) => {
    pulse.beat(5_000);
    await clock.advance(30_000);
    assert.equal(health.at(-1), "STOPPED LOOP_HANGS Hangs: b");
  }));

Deno.test("LifeSign run() tells how the program is, once for each change", () =>
  withStand(10_000, async (stand) => {
    await stand.clock.advance(20_000);
    stand.status = "redirector: no cgroup";
    await stand.clock.advance(20_000);
    assert.deepEqual(stand.told, ["Serving", "redirector: no cgroup"]);
  }));
