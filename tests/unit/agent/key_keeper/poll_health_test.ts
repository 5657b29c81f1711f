import assert from "node:assert/strict";
import { PollHealth } from "../../../../src/agent/key_keeper/poll_health.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";

function stand() {
  const clock = new FakeClock();
  const reports: string[] = [];
  const health = new PollHealth(clock, 15_000, {
    report: (state, code, message) => reports.push(`${state} ${code} ${message}`),
  });
  return { clock, health, reports };
}

Deno.test("started() claims nothing", () => {
  const { health, reports } = stand();
  health.started();
  assert.deepEqual(reports, [
    "UNKNOWN KEY_LATCH_STARTED poll secure channel status task started.",
  ]);
});

Deno.test("failed() before any success leaves the state unknown, with the reason", () => {
  const { health, reports } = stand();
  health.failed("HOST_CONNECT", "no");
  assert.deepEqual(reports, ["UNKNOWN HOST_CONNECT no"]);
});

Deno.test("succeeded() is RUNNING and tells the news, with the time since the start", () => {
  const { clock, health, reports } = stand();
  clock.tick(1_234.4);
  health.news("KEY_ATTESTED", "Latched.");
  health.succeeded();
  assert.deepEqual(reports, ["RUNNING KEY_ATTESTED Latched. - 1234"]);
});

Deno.test("failed() is RUNNING with the reason until three intervals have passed, then STOPPED", () => {
  const { clock, health, reports } = stand();
  health.succeeded();
  reports.length = 0;
  for (let interval = 1; interval <= 4; interval++) {
    clock.tick(15_000);
    health.failed("HOST_CONNECT", "no");
  }
  assert.deepEqual(reports, ["RUNNING HOST_CONNECT no", "STOPPED HOST_CONNECT no"]);
});

Deno.test("succeeded() after failures goes back to the last good news", () => {
  const { health, reports } = stand();
  health.news("KEY_ATTESTED", "Latched.");
  health.succeeded();
  health.failed("HOST_CONNECT", "no");
  health.succeeded();
  assert.deepEqual(reports, [
    "RUNNING KEY_ATTESTED Latched. - 0",
    "RUNNING HOST_CONNECT no",
    "RUNNING KEY_ATTESTED Latched. - 0",
  ]);
});

Deno.test("watch() notices by itself that success is stale", async () => {
  const { clock, health, reports } = stand();
  health.succeeded();
  const stop = new AbortController();
  const watching = health.watch(stop.signal);
  await clock.advance(45_000);
  assert.equal(reports.at(-1)?.startsWith("RUNNING"), true);
  await clock.advance(15_000);
  assert.equal(reports.at(-1), "STOPPED HOST_SILENT No poll has succeeded for 45 s");
  stop.abort();
  await watching;
});

Deno.test("unheard() tells the newest failure before an older objection, until heard()", () => {
  const { health, reports } = stand();
  health.succeeded();
  health.objected({ code: "POLICY_REFUSED", message: "bad" });
  reports.length = 0;
  health.unheard("HOST_CONNECT", "no");
  health.heard();
  health.objected({ code: "POLICY_REFUSED", message: "bad" });
  assert.deepEqual(reports, ["STOPPED HOST_CONNECT no", "STOPPED POLICY_REFUSED bad"]);
});

Deno.test("stopped() says so", () => {
  const { health, reports } = stand();
  health.stopped();
  assert.deepEqual(reports, [
    "STOPPED KEY_LATCH_STOPPED poll_secure_channel_status task cancelled.",
  ]);
});

Deno.test("objected() is STOPPED whatever else goes well, until it is taken back", () => {
  const { health, reports } = stand();
  health.succeeded();
  reports.length = 0;
  health.objected({ code: "POLICY_REFUSED", message: "Because." });
  health.succeeded();
  health.failed("HOST_CONNECT", "no");
  assert.deepEqual(reports, ["STOPPED POLICY_REFUSED Because."]);
  health.objected(null);
  assert.equal(reports.at(-1), "RUNNING HOST_CONNECT no");
});

Deno.test("setInterval() counts at once, also for the look that is waited for", async () => {
  const { clock, health, reports } = stand();
  const stop = new AbortController();
  const watching = health.watch(stop.signal);
  health.setInterval(3_600_000);
  health.succeeded();
  reports.length = 0;
  await clock.advance(60_000);
  assert.deepEqual(reports, []);
  health.setInterval(15_000);
  await clock.advance(15_000);
  assert.equal(reports.length, 1);
  assert.match(reports[0] ?? "", /^STOPPED/);
  stop.abort();
  await watching;
});
