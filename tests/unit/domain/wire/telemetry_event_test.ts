import assert from "node:assert/strict";
import {
  type GenericEvent,
  genericFileText,
  readGenericFile,
  readStatusFile,
  type StatusEvent,
  statusFileText,
  type TelemetryEvent,
} from "../../../../src/domain/wire/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Data {
  readonly event: TelemetryEvent;
  readonly text: string;
}

const VECTORS = readVectors<Data>("telemetry/event_files.json", ["event", "text"]);
const [generic, status] = VECTORS;

for (const { id, event, text } of VECTORS) {
  Deno.test(`event files are written and read byte for byte: ${id}`, () => {
    const written = event.kind === "generic" ? genericFileText([event]) : statusFileText(event);
    assert.equal(written, text);
    const read = event.kind === "generic" ? readGenericFile(text) : readStatusFile(text);
    assert.deepEqual(read, { ok: true, value: { events: [event], bad: 0 } });
  });
}

Deno.test("readGenericFile() takes a byte order mark and counts entries that are no events", () => {
  const list = [JSON.parse(generic?.text ?? "")[0], 7, { EventLevel: "INFO" }, null];
  const read = readGenericFile(`\ufeff${JSON.stringify(list)}`);
  assert.ok(read.ok);
  assert.deepEqual(read.value, { events: [generic?.event], bad: 3 });
});

Deno.test("readGenericFile() refuses what is no list", () => {
  for (const text of ["", "{}", "[", '"x"']) assert.equal(readGenericFile(text).ok, false, text);
});

Deno.test("readGenericFile() cuts texts to size, never inside a character", () => {
  const long = {
    ...generic?.event as GenericEvent,
    message: "ä".repeat(3000),
    task: "t".repeat(999),
  };
  const read = readGenericFile(genericFileText([long]));
  const event = read.ok ? read.value.events[0] : undefined;
  assert.ok(event?.kind === "generic");
  assert.equal(event.message, "ä".repeat(2048));
  assert.equal(event.task.length, 256);
});

Deno.test("readStatusFile() refuses a member that is missing or of another type", () => {
  const whole = JSON.parse(statusFileText(status?.event as StatusEvent));
  for (
    const change of [
      { event_pid: 812 },
      { extension: null },
      { operation_status: { ...whole.operation_status, duration: 1.5 } },
      { operation_status: { ...whole.operation_status, operation_success: "true" } },
    ]
  ) {
    const text = JSON.stringify({ ...whole, ...change });
    assert.equal(readStatusFile(text).ok, false, text);
  }
  assert.equal(readStatusFile("[]").ok, false);
});

Deno.test("readStatusFile() makes nothing of a duration below nothing", () => {
  const text = statusFileText({ ...status?.event as StatusEvent, duration: -1 });
  const read = readStatusFile(text);
  assert.deepEqual(read.ok && read.value.events, [{ ...status?.event, duration: 0 }]);
});

Deno.test("readGenericFile() takes members for what they are called", () => {
  const members = JSON.parse(generic?.text ?? "")[0];
  const named = { ...members, constructor: 1, more: [] };
  const read = readGenericFile(JSON.stringify([named, [], Object.create(members)]));
  assert.deepEqual(read, { ok: true, value: { events: [generic?.event], bad: 2 } });
});
