import assert from "node:assert/strict";
import { HostClock } from "../../../../src/agent/host/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";

const HOST_DATE = "Wed, 01 Jul 2026 12:00:00 GMT";
const MINUTE_MS = 60_000;

Deno.test("now() is the VM's own time before the first sync", () => {
  const clock = new FakeClock();
  const host = new HostClock(clock);
  assert.equal(host.now(), "Tue, 06 Jan 2026 07:08:09 GMT");
  assert.equal(host.skewMs(), null);
  clock.jumpWall(1_000);
  assert.equal(host.now(), "Tue, 06 Jan 2026 07:08:10 GMT");
});

Deno.test("now() is the host's time plus what passed, whatever happens to the wall clock", () => {
  const clock = new FakeClock();
  const host = new HostClock(clock);
  assert.equal(host.sync(HOST_DATE), true);
  clock.tick(61_500);
  clock.jumpWall(-86_400_000);
  assert.equal(host.now(), "Wed, 01 Jul 2026 12:01:01 GMT");
  assert.equal(host.nowMs(), Date.UTC(2026, 6, 1, 12, 1, 1, 500));
});

Deno.test("now() changes with the second, not before", () => {
  const clock = new FakeClock();
  const host = new HostClock(clock);
  host.sync(HOST_DATE);
  clock.tick(999);
  assert.equal(host.now(), HOST_DATE);
  clock.tick(1);
  assert.equal(host.now(), "Wed, 01 Jul 2026 12:00:01 GMT");
});

Deno.test("skewMs() says how far the host is ahead", () => {
  const clock = new FakeClock({ wallMs: Date.UTC(2026, 6, 1, 11, 59, 50) });
  const host = new HostClock(clock);
  host.sync(HOST_DATE);
  assert.equal(host.skewMs(), 10_000);
});

Deno.test("sync() refuses anything but the exact format and keeps what it knew", () => {
  const host = new HostClock(new FakeClock());
  host.sync(HOST_DATE);
  for (const text of ["", "Wed, 1 Jul 2026 12:00:00 GMT", `${HOST_DATE} `, "Wed, 01 Jul 2026"]) {
    assert.equal(host.sync(text), false, text);
  }
  assert.equal(host.now(), HOST_DATE);
});

Deno.test("syncFrom() prefers the host's own date field", () => {
  const host = new HostClock(new FakeClock());
  const outcome = host.syncFrom([
    ["date", "Thu, 02 Jul 2026 12:00:00 GMT"],
    ["x-ms-azure-host-date", HOST_DATE],
  ]);
  assert.equal(outcome, "synced");
  assert.equal(host.now(), HOST_DATE);
});

Deno.test("syncFrom() takes the standard date where the host's own is absent or no text", () => {
  for (const own of [[], [["x-ms-azure-host-date", "\x80"]]] as [string, string][][]) {
    const host = new HostClock(new FakeClock());
    assert.equal(host.syncFrom([...own, ["date", HOST_DATE]]), "synced");
    assert.equal(host.now(), HOST_DATE);
  }
});

Deno.test("syncFrom() does not fall back when the host's own date is present and wrong", () => {
  const host = new HostClock(new FakeClock());
  const outcome = host.syncFrom([["x-ms-azure-host-date", "today"], ["date", HOST_DATE]]);
  assert.equal(outcome, "bad-date");
  assert.equal(host.skewMs(), null);
});

Deno.test("syncFrom() reports an answer without any date", () => {
  assert.equal(new HostClock(new FakeClock()).syncFrom([["server", "x"]]), "no-date");
});

Deno.test("syncFrom() leaves a sync of up to 15 minutes alone and renews an older one", () => {
  const clock = new FakeClock();
  const host = new HostClock(clock);
  host.sync(HOST_DATE);
  clock.tick(15 * MINUTE_MS);
  const later: [string, string][] = [["date", "Wed, 01 Jul 2026 13:00:00 GMT"]];
  assert.equal(host.syncFrom(later), "not-due");
  clock.tick(1);
  assert.equal(host.syncFrom(later), "synced");
  assert.equal(host.now(), "Wed, 01 Jul 2026 13:00:00 GMT");
});

Deno.test("syncFrom() tries again at once after a failed sync", () => {
  const host = new HostClock(new FakeClock());
  host.syncFrom([["date", "nonsense"]]);
  assert.equal(host.syncFrom([["date", HOST_DATE]]), "synced");
});

Deno.test("syncFrom() renews a young sync when the machine has slept", () => {
  let slept = 0n;
  class SleepyClock extends FakeClock {
    override bootNs(): bigint {
      return super.bootNs() + slept;
    }
  }
  const clock = new SleepyClock();
  const host = new HostClock(clock);
  host.sync(HOST_DATE);
  clock.tick(MINUTE_MS);
  slept = 2_000_000_000n;
  assert.equal(host.syncFrom([["date", HOST_DATE]]), "not-due");
  slept = 3_600_000_000_000n;
  const awake = "Wed, 01 Jul 2026 13:01:00 GMT";
  assert.equal(host.syncFrom([["date", awake]]), "synced");
  assert.equal(host.now(), awake);
});
