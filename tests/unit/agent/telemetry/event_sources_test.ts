import assert from "node:assert/strict";
import { EventSources } from "../../../../src/agent/telemetry/event_sources.ts";
import { EventSink, TappedLogger } from "../../../../src/agent/telemetry/log_tap.ts";
import type { EventText } from "../../../../src/agent/telemetry/recorder.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

function stand() {
  const events: EventText[] = [];
  const clock = new FakeClock();
  const recorder = { emit: (event: EventText) => void events.push(event) };
  const sources = new EventSources({
    clock,
    recorder,
    startedAtMs: 0,
    redirector: "redirector/linux",
  });
  const told = () =>
    events.splice(0).map((e) => `${e.level} ${e.task} ${e.operation} ${e.message}`);
  return { clock, sources, recorder, told };
}

Deno.test("EventSources.watched() tells each new message and passes every report on", () => {
  const { sources, told, clock } = stand();
  const reports: string[] = [];
  const health = sources.watched("proxy-listener", {
    report: (state, code, message) => void reports.push(`${state} ${code} ${message}`),
  });
  clock.tick(42);
  health.report("RUNNING", "listening", 'listens on "x"');
  health.report("RUNNING", "listening", 'listens on "x"');
  health.report("STOPPED", "port-taken", "taken");
  health.report("STOPPED", "port-taken", "taken");
  health.report("STOPPED", "stopped", "orderly");
  assert.equal(reports.length, 5);
  assert.deepEqual(told(), [
    'warn set_module_status_message ProxyServer listens on "x"',
    'info start proxy_server {"elapsed":42, "message":"listens on \\"x\\""}',
    "warn set_module_status_message ProxyServer taken",
    "warn start proxy_server taken",
    "warn set_module_status_message ProxyServer orderly",
  ]);
});

Deno.test("EventSources.watched() leaves parts alone that are no module", () => {
  const { sources, told } = stand();
  const reporter = { report: () => {} };
  assert.equal(sources.watched("service", reporter), reporter);
  assert.deepEqual(told(), []);
});

Deno.test("EventSources.watched() tells the milestones of key and redirector", () => {
  const { sources, told } = stand();
  const silent = { report: () => {} };
  const keeper = sources.watched("key_keeper", silent);
  keeper.report("RUNNING", "KEY_ATTESTED", "attested");
  keeper.report("RUNNING", "KEY_ATTESTED", "attested");
  const redirector = sources.watched("redirector", silent);
  redirector.report("STOPPED", "BPF_LOAD", "no BTF");
  redirector.report("RUNNING", "redirector-attached", "attached");
  redirector.report("STOPPED", "redirector-detached", "gone");
  assert.deepEqual(told(), [
    "warn set_module_status_message KeyKeeper attested",
    'info poll_secure_channel_status key_keeper {"elapsed":0, "message":"attested"}',
    "warn set_module_status_message Redirector no BTF",
    "warn start redirector/linux no BTF",
    "error start redirector no BTF",
    "warn set_module_status_message Redirector attached",
    'info start redirector {"elapsed":0, "message":"attached"}',
    "info start redirector attached",
    "warn set_module_status_message Redirector gone",
  ]);
});

Deno.test("EventSources.watched() tells of a message that the status document cuts", () => {
  const { sources, told } = stand();
  const health = sources.watched("status", { report: () => {} });
  health.report("STOPPED", "c", "ä".repeat(512));
  assert.equal(told().length, 1);
  health.report("STOPPED", "c", "ä".repeat(513));
  assert.match(told()[1] ?? "", /^warn get_status STOPPED ä/);
});

Deno.test("EventSources.watched() bounds what a flapping part says", () => {
  const { sources, told, clock } = stand();
  const health = sources.watched("status", { report: () => {} });
  for (let i = 0; i < 1000; i++) health.report("STOPPED", "c", `${i}`);
  assert.equal(told().length, 60);
  clock.tick(5_000);
  health.report("STOPPED", "c", "again");
  assert.equal(told().length, 1);
});

Deno.test("EventSources.logged() makes events of the log lines that others make events of", () => {
  const { sources, told } = stand();
  const logger = new TappedLogger(
    new MemoryLogger(),
    (level, part, text, fields) => sources.logged(level, part, text, fields),
  );
  const keeper = logger.child("key_keeper");
  keeper.info("key status changed", { summary: "s" });
  keeper.warn("stored key is unusable", { cause: "c" });
  keeper.error("LocalRulesFileParseFailed", { operation: "IMDS", message: "m" });
  keeper.info("policy installed", { epoch: 1 });
  logger.child("provision").error("provisioning did not finish in time", { missing: "a<b" });
  logger.child("elsewhere").info("key status changed", { summary: "s" });
  logger.debug("d");
  logger.trace("t");
  assert.deepEqual(told(), [
    "warn poll_secure_channel_status key_keeper Got key status successfully: s.",
    "info poll_secure_channel_status key_keeper stored key is unusable: c",
    "error LocalRulesFileParseFailed IMDS m",
    "error write_provision_state provision a&lt;b",
  ]);
});

Deno.test("TappedLogger passes everything on", () => {
  const inner = new MemoryLogger();
  const seen: string[] = [];
  const logger = new TappedLogger(
    inner,
    (level, part, text) => seen.push(`${level} ${part} ${text}`),
  );
  const levels = ["error", "warn", "info", "debug", "trace"] as const;
  for (const level of levels) logger[level](level, { n: 1 });
  logger.child("p").info("i");
  assert.deepEqual(inner.lines.map((line) => line.text), [...levels, "i"]);
  assert.deepEqual(inner.lines.at(-1), { level: "info", part: "p", text: "i", fields: {} });
  assert.deepEqual(seen, [...levels.map((level) => `${level} null ${level}`), "info p i"]);
});

Deno.test("EventSink makes an event of a line", () => {
  const { recorder, told, clock } = stand();
  const sink = new EventSink(recorder, clock);
  sink.write({ wallMs: 0, level: "debug", message: "m part=p" });
  sink.write({ wallMs: 0, level: "warn", message: "CANON_DIVERGENCE mode=shadow" });
  assert.deepEqual(told(), [
    "debug CommonLogger ProxyAgent m part=p",
    "warn ConnectionLogger ProxyAgent CANON_DIVERGENCE mode=shadow",
  ]);
});

Deno.test("EventSink bounds what a storm of lines makes, and says how many it was", () => {
  const { recorder, told, clock } = stand();
  const sink = new EventSink(recorder, clock);
  const storm = (lines: number) => {
    for (let i = 0; i < lines; i++) sink.write({ wallMs: 0, level: "info", message: `${i}` });
  };
  storm(1000);
  assert.equal(told().length, 300);
  clock.tick(1000);
  storm(3);
  assert.deepEqual(told(), [
    "warn CommonLogger ProxyAgent 700 log lines are not told here",
    "info CommonLogger ProxyAgent 0",
    "info CommonLogger ProxyAgent 1",
  ]);
});

Deno.test("EventSources.targetsChanged() tells each endpoint that changed, once it is true", () => {
  const { sources, told } = stand();
  const who = "info update_redirect_policy_internal redirector/linux";
  const targets = () =>
    told().filter((text) => text.startsWith(who)).map((t) => t.slice(who.length + 1));
  const silent = { report: () => {} };
  const redirector = sources.watched("redirector", silent);
  const listener = sources.watched("proxy-listener", silent);
  sources.targetsChanged(null);
  sources.targetsChanged({ imds: "audit", wireserver: "enforce" });
  redirector.report("RUNNING", "redirector-attached", "attached");
  assert.deepEqual(targets(), []);
  listener.report("RUNNING", "listening", "listens");
  assert.deepEqual(targets(), [
    "wireserver is redirected, mode enforce",
    "imds is redirected, mode audit",
  ]);
  sources.targetsChanged({ imds: "audit", wireserver: "enforce" });
  sources.targetsChanged({ imds: "enforce" });
  assert.deepEqual(targets(), [
    "wireserver is not redirected any more",
    "imds is redirected, mode enforce",
  ]);
  listener.report("STOPPED", "port-taken", "taken");
  assert.deepEqual(targets(), []);
  redirector.report("STOPPED", "redirector-detached", "gone");
  assert.deepEqual(targets(), ["imds is not redirected any more"]);
  redirector.report("RUNNING", "redirector-attached", "attached");
  assert.deepEqual(targets(), ["imds is redirected, mode enforce"]);
});

Deno.test("EventSources.connection() tells the first request of its kind", () => {
  const { sources, told } = stand();
  sources.connection("{}");
  assert.deepEqual(told(), ["info log_connection_summary proxy_server {}"]);
});
