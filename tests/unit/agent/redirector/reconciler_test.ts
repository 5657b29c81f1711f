import assert from "node:assert/strict";
import { FakeRedirector } from "../../../../src/agent/redirector/fake_redirector.ts";
import { Reconciler, type TargetModes } from "../../../../src/agent/redirector/mod.ts";
import { Backoff, DEFAULT_BACKOFF } from "../../../../src/runtime/backoff.ts";
import { Cell } from "../../../../src/runtime/cell.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import type { Pulse } from "../../../../src/runtime/pulse.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

/** A redirector whose attaching fails as often as it is told to. */
class Stubborn extends FakeRedirector {
  failures = 0;
  attempts = 0;
  detached = 0;
  failingTargets = false;

  override attach(signal: AbortSignal): Promise<void> {
    this.attempts++;
    if (this.failures-- > 0) {
      return Promise.reject(new AgentError("BPF_LOAD", "the kernel refused the BPF programs"));
    }
    return super.attach(signal);
  }

  override setTargets(targets: TargetModes): void {
    if (this.failingTargets) throw new Error("map is gone");
    super.setTargets(targets);
  }

  override detach(): Promise<void> {
    this.detached++;
    return super.detach();
  }
}

interface Stand {
  readonly clock: FakeClock;
  readonly redirector: Stubborn;
  readonly logger: MemoryLogger;
  readonly snapshot: Cell<{ readonly targets: TargetModes | null }>;
  readonly reports: string[];
  serving: boolean;
  stopping: boolean;
  readonly listening: () => void;
  readonly pulse: Pulse;
  readonly tried: Promise<void>;
  readonly stop: () => Promise<void>;
}

function stand(failures = 0): Stand {
  const clock = new FakeClock();
  const redirector = new Stubborn();
  redirector.failures = failures;
  const logger = new MemoryLogger();
  const snapshot = new Cell<{ readonly targets: TargetModes | null }>({ targets: null });
  const reports: string[] = [];
  const ending = new AbortController();
  const made: Stand = {
    clock,
    redirector,
    logger,
    snapshot,
    reports,
    serving: true,
    stopping: true,
    listening: () => {
      made.serving = true;
      reconciler.listening();
    },
    get pulse() {
      return reconciler.pulse;
    },
    get tried() {
      return reconciler.tried;
    },
    stop: async () => {
      ending.abort();
      await running;
    },
  };
  const reconciler = new Reconciler({
    redirector,
    snapshot,
    clock,
    backoff: new Backoff(DEFAULT_BACKOFF, () => 0),
    logger,
    serving: () => made.serving,
    stopping: () => made.stopping,
  });
  const running = reconciler.run(ending.signal, {
    report: (state, code, message) => reports.push(`${state} ${code} ${message}`),
  });
  return made;
}

Deno.test("Reconciler attaches, says so with the time it took, and beats each second", async () => {
  const { clock, redirector, reports, stop } = stand();
  await clock.settle();
  assert.match(
    reports.at(-1)!,
    /^RUNNING redirector-attached Started Redirector with eBPF maps - 0$/,
  );
  await clock.advance(3_000);
  assert.equal(redirector.beats, 4);
  await stop();
});

Deno.test("Reconciler does not beat while nobody would be served", async () => {
  const made = stand();
  made.serving = false;
  await made.clock.settle();
  const before = made.redirector.beats;
  await made.clock.advance(3_000);
  assert.equal(made.redirector.beats, before);
  made.serving = true;
  await made.clock.advance(1_000);
  assert.equal(made.redirector.beats, before + 1);
  await made.stop();
});

Deno.test("Reconciler tries for ever with growing waits, and says why it is not attached", async () => {
  const { clock, redirector, reports, logger, stop } = stand(4);
  await clock.settle();
  assert.equal(redirector.attempts, 1);
  assert.match(reports.at(-1)!, /^STOPPED BPF_LOAD Failed to start redirector: the kernel refused/);
  for (const [waitMs, attempts] of [[250, 2], [500, 3], [1_000, 4], [2_000, 5]] as const) {
    await clock.advance(waitMs);
    assert.equal(redirector.attempts, attempts);
  }
  assert.match(reports.at(-1)!, /^RUNNING /);
  assert.equal(logger.texts("error").length, 4);
  await stop();
});

Deno.test("Reconciler attaches again when somebody took the programs off", async () => {
  const { clock, redirector, reports, stop } = stand();
  await clock.settle();
  await redirector.detach();
  await clock.advance(1_000);
  assert.equal(redirector.attempts, 2);
  assert.ok(reports.some((report) => report.startsWith("STOPPED redirector-detached")));
  assert.equal(
    reports.at(-1),
    "RUNNING redirector-attached Started Redirector with eBPF maps - 1000 " +
      "(taken off by somebody and attached again: 1, last at 2026-01-06T07:08:10.123Z)",
  );
  await redirector.detach();
  await clock.advance(1_000);
  assert.match(reports.at(-1)!, /attached again: 2, last at 2026-01-06T07:08:11\.123Z\)$/);
  await stop();
});

Deno.test("Reconciler sets the targets of each snapshot, and none before they are decided", async () => {
  const { clock, redirector, snapshot, stop } = stand();
  await clock.settle();
  assert.equal(redirector.targets, null);
  snapshot.publish({ targets: { imds: "audit" } });
  assert.deepEqual(redirector.targets, { imds: "audit" });
  snapshot.publish({ targets: {} });
  assert.deepEqual(redirector.targets, {});
  await stop();
});

Deno.test("Reconciler sends nobody to the listener's port before it was ours", async () => {
  const made = stand();
  made.serving = false;
  await made.clock.settle();
  made.snapshot.publish({ targets: { imds: "enforce" } });
  await made.clock.advance(2_000);
  assert.equal(made.redirector.targets, null);
  // To redirect nothing is safe whoever holds the port.
  made.snapshot.publish({ targets: {} });
  assert.deepEqual(made.redirector.targets, {});
  made.snapshot.publish({ targets: { wireserver: "enforce" } });
  assert.deepEqual(made.redirector.targets, {});
  made.listening();
  assert.deepEqual(made.redirector.targets, { wireserver: "enforce" });
  // A listener that is gone for a moment keeps its port: the kernel programs see to it.
  made.serving = false;
  made.snapshot.publish({ targets: { imds: "audit" } });
  assert.deepEqual(made.redirector.targets, { imds: "audit" });
  await made.stop();
});

Deno.test("Reconciler outlives targets that cannot be written", async () => {
  const { clock, redirector, snapshot, logger, stop } = stand();
  await clock.settle();
  redirector.failingTargets = true;
  snapshot.publish({ targets: { imds: "enforce" } });
  assert.deepEqual(logger.texts("error"), ["redirect targets not written"]);
  await clock.advance(2_000);
  assert.ok(redirector.intact());
  await stop();
});

Deno.test("Reconciler takes everything off in an orderly stop, and leaves it on in any other end", async () => {
  const orderly = stand();
  await orderly.clock.settle();
  await orderly.stop();
  assert.equal(orderly.redirector.detached, 1);
  assert.match(orderly.reports.at(-1)!, /^STOPPED redirector-stopped/);

  const failed = stand();
  failed.stopping = false;
  await failed.clock.settle();
  await failed.stop();
  assert.equal(failed.redirector.detached, 0);
});

Deno.test("Reconciler pulse is in time while it watches and while attaching fails, and late when attaching hangs", async () => {
  const well = stand(40);
  await well.clock.advance(15 * 60_000);
  assert.equal(well.pulse.hangsForMs, null);
  await well.stop();
  await well.clock.advance(15 * 60_000);
  assert.equal(well.pulse.hangsForMs, null, "it is at its end");

  const hanging = stand(1);
  await hanging.clock.settle();
  const { promise, resolve } = Promise.withResolvers<void>();
  hanging.redirector.attach = () => promise;
  await hanging.clock.advance(2 * 60_000);
  assert.ok((hanging.pulse.hangsForMs ?? 0) > 60_000);
  resolve();
  await hanging.stop();
});

Deno.test("Reconciler lets what starts with it come first, and tells when the first attempt is over", async () => {
  for (const failures of [0, 40]) {
    const made = stand(failures);
    assert.equal(made.redirector.attempts, 0, "in the turn of the start");
    let isTried = false;
    made.tried.then(() => isTried = true);
    assert.equal(isTried, false);
    await made.clock.settle();
    assert.equal(made.redirector.attempts, 1);
    assert.equal(isTried, true);
    await made.stop();
  }
});
