import assert from "node:assert/strict";
import { type Check, fail, fine, judge, warn } from "../../../../src/operator/doctor/check.ts";
import { CHECKS, runChecks } from "../../../../src/operator/doctor/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { goodMachine, NOW_MS, situationOf, statusText } from "../../../fakes/fake_machine.ts";

const check = (name: string, run: Check["run"], limitMs?: number): Check => ({
  name,
  title: `the ${name}`,
  ...(limitMs === undefined ? {} : { limitMs }),
  run,
});
const good = check("good", () => fine("well"));

Deno.test("judge() puts the worst first, says each remedy once and counts what is too much", () => {
  assert.deepEqual(judge([], "well"), { outcome: "OK", found: "well", remedy: null });
  assert.deepEqual(judge([warn("a", "x"), fail("b", "y"), warn("c", "x")], "well"), {
    outcome: "FAIL",
    found: "b; a; c",
    remedy: "y; x",
  });
  const many = Array.from({ length: 9 }, (_, index) => warn(`w${index}`, "x"));
  assert.equal(judge(many, "well").found, "w0; w1; w2; w3; w4; w5; and 3 more");
});

Deno.test("runChecks() runs all in their order and takes the worst outcome", async () => {
  const clock = new FakeClock();
  const run = (checks: readonly Check[]) => runChecks(checks, situationOf(), clock);
  const warning = check("odd", () => warn("odd", "look"));
  const failing = check("bad", () => Promise.resolve(fail("bad", "mend")));
  assert.equal((await run([good])).outcome, "OK");
  assert.equal((await run([good, warning])).outcome, "WARN");
  const report = await run([failing, good, warning]);
  assert.equal(report.outcome, "FAIL");
  assert.equal(report.wallMs, NOW_MS);
  assert.deepEqual(report.results.map(({ name }) => name), ["bad", "good", "odd"]);
});

Deno.test("runChecks() goes on after a check that throws, and says what it tried", async () => {
  const broken = check("broken", () => {
    throw new Error("read `/x`: EACCES");
  });
  const { results } = await runChecks([broken, good], situationOf(), new FakeClock());
  assert.equal(results[0]?.outcome, "WARN");
  assert.match(results[0]?.found ?? "", /could not be looked at: read `\/x`: EACCES/);
  assert.equal(results[1]?.outcome, "OK");
  const machine = goodMachine();
  machine.uid = 1000;
  const asUser = await runChecks([broken], situationOf(machine), new FakeClock());
  assert.match(asUser.results[0]?.remedy ?? "", /sudo azure-proxy-agent doctor/);
});

const UNKNOWN = { status: "UNKNOWN", message: "" };
const status = async (situation: Parameters<Check["run"]>[0]) =>
  fine((await situation.status())?.modules.get("keyLatchStatus")?.status ?? "none");

Deno.test("runChecks() gives an agent that is just starting a moment", async () => {
  const clock = new FakeClock();
  const machine = goodMachine();
  const starting = { keyLatchStatus: UNKNOWN };
  machine.files.set("/log/status.json", { text: statusText({}, starting) });
  const running = runChecks([check("status", status)], situationOf(machine), clock);
  await clock.advance(1_000);
  machine.files.set("/log/status.json", { text: statusText() });
  await clock.advance(500);
  assert.equal((await running).results[0]?.found, "RUNNING");
});

Deno.test("runChecks() waits three seconds for one that does not come up, and for an old one not at all", async () => {
  const clock = new FakeClock();
  const machine = goodMachine();
  const text = statusText({}, { keyLatchStatus: UNKNOWN });
  machine.files.set("/log/status.json", { text });
  const running = runChecks([check("status", status)], situationOf(machine), clock);
  await clock.advance(3_000);
  assert.equal((await running).results[0]?.found, "UNKNOWN");
  machine.files.set("/log/status.json", { text, modifiedMs: NOW_MS - 5_001 });
  const { results } = await runChecks([check("status", status)], situationOf(machine), clock);
  assert.equal(results[0]?.found, "UNKNOWN");
  assert.equal(clock.sleeping, 0);
});

Deno.test("runChecks() gives each check its own time and goes on without a late one", async () => {
  const clock = new FakeClock();
  const never = () => new Promise<never>(() => {});
  const running = runChecks([check("late", never, 200), good], situationOf(), clock);
  await clock.advance(199);
  assert.equal(clock.sleeping, 1);
  await clock.advance(1);
  const { results } = await running;
  assert.equal(results[0]?.outcome, "WARN");
  assert.match(results[0]?.found ?? "", /within 200 ms/);
  assert.equal(results[0]?.durationMs, 200);
  assert.equal(results[1]?.outcome, "OK");
  assert.equal(clock.sleeping, 0, "no timer is left");
});

Deno.test("runChecks() hides secrets and cuts what goes on and on", async () => {
  const chatty = check(
    "chatty",
    () => warn(`url ?sig=c2VjcmV0 ${"x".repeat(5000)}`, "pwd=hunter2"),
  );
  const { results } = await runChecks([chatty], situationOf(), new FakeClock());
  const text = JSON.stringify(results);
  assert.doesNotMatch(text, /c2VjcmV0|hunter2/);
  assert.ok(text.length < 3000);
});

Deno.test("CHECKS are at least 15, each with a name of its own", () => {
  assert.ok(CHECKS.length >= 15);
  assert.equal(new Set(CHECKS.map(({ name }) => name)).size, CHECKS.length);
});
