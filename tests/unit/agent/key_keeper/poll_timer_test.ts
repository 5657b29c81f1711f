import assert from "node:assert/strict";
import { PollTimer } from "../../../../src/agent/key_keeper/poll_timer.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";

const never = new AbortController().signal;

/** Starts a wait and tells when it ends, in milliseconds of the clock, and how. */
function watch(clock: FakeClock, timer: PollTimer, signal = never) {
  const seen: { outcome: string | null; atMs: number } = { outcome: null, atMs: -1 };
  timer.wait(signal).then((outcome) => {
    seen.outcome = outcome;
    seen.atMs = clock.monotonicMs();
  });
  return seen;
}

Deno.test("wait() takes the configured interval once the host was heard", async () => {
  const clock = new FakeClock();
  const timer = new PollTimer(clock, 15_000);
  timer.begin(false, clock.monotonicMs());
  const seen = watch(clock, timer);
  await clock.advance(60_000);
  assert.deepEqual(seen, { outcome: "due", atMs: 15_000 });
});

Deno.test("wait() takes a second while the host was not heard, in the first five minutes only", async () => {
  const clock = new FakeClock();
  const timer = new PollTimer(clock, 15_000);
  timer.begin(true, clock.monotonicMs());
  const young = watch(clock, timer);
  await clock.advance(1_000);
  assert.deepEqual(young, { outcome: "due", atMs: 1_000 });
  await clock.advance(299_000);
  timer.begin(true, clock.monotonicMs());
  const old = watch(clock, timer);
  await clock.advance(15_000);
  assert.deepEqual(old, { outcome: "due", atMs: 315_000 });
});

Deno.test("wait() never takes longer than the configured interval", async () => {
  const clock = new FakeClock();
  const timer = new PollTimer(clock, 200);
  timer.begin(true, clock.monotonicMs());
  const seen = watch(clock, timer);
  await clock.advance(200);
  assert.deepEqual(seen, { outcome: "due", atMs: 200 });
});

Deno.test("begin() counts from when the last poll began, and leaves half the interval to the host", async () => {
  const clock = new FakeClock();
  const timer = new PollTimer(clock, 10_000);
  await clock.advance(3_000);
  timer.begin(false, 0);
  const short = watch(clock, timer);
  await clock.advance(60_000);
  assert.deepEqual(short, { outcome: "due", atMs: 10_000 });
  await clock.advance(7_000);
  timer.begin(false, 63_000);
  const long = watch(clock, timer);
  await clock.advance(60_000);
  assert.deepEqual(long, { outcome: "due", atMs: 75_000 });
});

Deno.test("wake() ends a wait at once, and the rest of it can still be waited for", async () => {
  const clock = new FakeClock();
  const timer = new PollTimer(clock, 15_000);
  timer.begin(false, clock.monotonicMs());
  const first = watch(clock, timer);
  await clock.advance(4_000);
  timer.wake();
  await clock.settle();
  assert.deepEqual(first, { outcome: "woken", atMs: 4_000 });
  const rest = watch(clock, timer);
  await clock.advance(60_000);
  assert.deepEqual(rest, { outcome: "due", atMs: 15_000 });
});

Deno.test("wake() while nobody waits is remembered once", async () => {
  const clock = new FakeClock();
  const timer = new PollTimer(clock, 15_000);
  for (let times = 0; times < 3; times++) timer.wake();
  timer.begin(false, clock.monotonicMs());
  assert.equal(await timer.wait(never), "woken");
  const rest = watch(clock, timer);
  await clock.advance(15_000);
  assert.equal(rest.outcome, "due");
});

Deno.test("wake() is granted once a second, and not lost in between", async () => {
  const clock = new FakeClock();
  const timer = new PollTimer(clock, 15_000);
  timer.begin(false, clock.monotonicMs());
  timer.wake();
  assert.equal(await timer.wait(never), "woken");
  clock.tick(300);
  timer.wake();
  const seen = watch(clock, timer);
  await clock.advance(699);
  assert.equal(seen.outcome, null);
  await clock.advance(1);
  assert.deepEqual(seen, { outcome: "woken", atMs: 1_000 });
});

Deno.test("wait() ends when the signal fires", async () => {
  const clock = new FakeClock();
  const timer = new PollTimer(clock, 15_000);
  timer.begin(false, clock.monotonicMs());
  const stop = new AbortController();
  const seen = watch(clock, timer, stop.signal);
  await clock.advance(10);
  stop.abort();
  await clock.settle();
  assert.deepEqual(seen, { outcome: "due", atMs: 10 });
  assert.equal(clock.sleeping, 0);
});

Deno.test("setInterval() shortens the wait that is under way, and counts for those after it", async () => {
  const clock = new FakeClock();
  const timer = new PollTimer(clock, 3_600_000);
  timer.begin(false, clock.monotonicMs());
  const seen = watch(clock, timer);
  await clock.advance(10_000);
  timer.setInterval(5_000);
  await clock.advance(5_000);
  assert.deepEqual(seen, { outcome: "due", atMs: 15_000 });
  timer.begin(false, clock.monotonicMs());
  const next = watch(clock, timer);
  await clock.advance(5_000);
  assert.deepEqual(next, { outcome: "due", atMs: 20_000 });
  timer.setInterval(60_000);
  timer.begin(false, clock.monotonicMs());
  const long = watch(clock, timer);
  await clock.advance(60_000);
  assert.deepEqual(long, { outcome: "due", atMs: 80_000 });
});
