import assert from "node:assert/strict";
import { EventRecorder, QUEUE_CAPACITY } from "../../../../src/agent/telemetry/recorder.ts";
import { agentStatusText } from "../../../../src/domain/wire/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";

function recorder(forUpload = true) {
  const lines: string[] = [];
  const made = new EventRecorder({
    clock: new FakeClock(),
    version: "1.2.3",
    pid: 812,
    lines: { writeSoon: (line) => lines.push(line) },
    forUpload,
  });
  return { recorder: made, lines };
}

const TEXT = { level: "warn", task: "start", operation: "redirector", message: "m" } as const;

Deno.test("EventRecorder.emit() makes a whole event and a line of JSON", () => {
  const { recorder: made, lines } = recorder();
  made.emit(TEXT);
  assert.deepEqual(made.genericEvents().map(({ event }) => event), [{
    kind: "generic",
    level: "WARN",
    message: "m",
    version: "1.2.3",
    task: "start",
    operation: "redirector",
    pid: "812",
    tid: "00000812",
    timeStamp: "2026-01-06T07:08:09.123",
  }]);
  assert.deepEqual(lines, [
    '{"EventLevel":"WARN","Message":"m","Version":"1.2.3","TaskName":"start","EventPid":"812",' +
    '"EventTid":"00000812","OperationId":"redirector","TimeStamp":"2026-01-06T07:08:09.123"}',
  ]);
});

Deno.test("EventRecorder.emit() takes secrets out and cuts, before anything is kept", () => {
  const { recorder: made, lines } = recorder();
  made.emit({ ...TEXT, message: "db=x;pwd=abc;u=y" });
  made.emit({ ...TEXT, message: "ä".repeat(5000) });
  made.emit({ ...TEXT, message: "two\nlines" });
  const messages = made.genericEvents().map(({ event }) => event.message);
  assert.equal(messages[0], "db=x;[REDACTED];u=y");
  assert.ok(new TextEncoder().encode(messages[1]).length <= 4096);
  assert.doesNotMatch(lines.join("\n"), /abc/);
  assert.equal(lines.length, 3);
  assert.doesNotMatch(lines[2] ?? "", /\n/);
});

Deno.test("EventRecorder keeps nothing in memory when nothing is uploaded", () => {
  const { recorder: made, lines } = recorder(false);
  made.emit(TEXT);
  made.emitStatus({ name: "n", success: true, message: "{}", duration: 1 });
  assert.equal(made.waiting, 0);
  assert.deepEqual(made.statusEvents(), []);
  assert.equal(lines.length, 2);
});

Deno.test("EventRecorder tells when its queue is half full, and drops the oldest when it is full", () => {
  const { recorder: made } = recorder();
  let pressing = 0;
  made.onPressing(() => pressing++);
  for (let i = 0; i < QUEUE_CAPACITY / 2 - 1; i++) made.emit(TEXT);
  assert.equal(pressing, 0);
  made.emit(TEXT);
  assert.equal(pressing, 1);
  for (let i = 0; i < QUEUE_CAPACITY; i++) made.emit({ ...TEXT, message: `${i}` });
  assert.equal(made.waiting, QUEUE_CAPACITY);
  assert.equal(made.dropped, QUEUE_CAPACITY / 2);
  assert.equal(made.genericEvents()[0]?.event.message, "0");
});

Deno.test("EventRecorder.emitStatus() makes a status event", () => {
  const { recorder: made, lines } = recorder();
  made.emitStatus({ name: "azure-proxy-agent", success: false, message: "{}", duration: 900_017 });
  assert.deepEqual(made.statusEvents()[0]?.event, {
    kind: "status",
    name: "azure-proxy-agent",
    version: "1.2.3",
    isInternal: true,
    extensionType: "Monitoring",
    success: false,
    operation: "report_proxy_agent_status",
    task: "loop_status",
    message: "{}",
    duration: 900_017,
    pid: "812",
    tid: "00000812",
    timeStamp: "2026-01-06T07:08:09.123",
  });
  assert.deepEqual(lines.map((line) => JSON.parse(line).operation_status.duration), [900_017]);
  made.removeStatus(Infinity);
  for (let i = 0; i < 100; i++) {
    made.emitStatus({ name: "n", success: true, message: "{}", duration: i });
  }
  assert.equal(made.statusEvents().length, 96);
  assert.equal(made.dropped, 4);
  made.removeStatus(Infinity);
  assert.deepEqual(made.statusEvents(), []);
});

Deno.test("EventRecorder.emitStatus() keeps the whole document, also when every module has much to say", () => {
  const { recorder: made } = recorder();
  const module = { status: "STOPPED" as const, message: "it's broken: ".repeat(200) };
  const document = agentStatusText({
    version: "1.2.3",
    monitor: module,
    keyLatch: module,
    keyLatchFacts: {
      secureChannelState: "wireserver enforce -  imds enforce -  hostga enforce",
      keyGuid: "8d1dd7ec-9b5b-4b7c-9b5b-4b7c9b5b4b7c",
      keyIncarnationId: 1,
      wireServerRuleId: "sig-1",
      imdsRuleId: "sig-2",
    },
    redirector: module,
    listener: module,
    telemetry: module,
    configuration: module,
    requestCount: 1_000_000,
  });
  assert.ok(document.length > 6000);
  made.emitStatus({ name: "n", success: false, message: document, duration: 1 });
  assert.equal(made.statusEvents()[0]?.event.message, document);
  made.emitStatus({ name: "n", success: false, message: "db=x;pwd=abc;u=y", duration: 1 });
  assert.equal(made.statusEvents()[1]?.event.message, "db=x;[REDACTED];u=y");
  made.emitStatus({ name: "n", success: false, message: "ä".repeat(10_000), duration: 1 });
  assert.equal(made.statusEvents()[2]?.event.message, "ä".repeat(8192));
});
