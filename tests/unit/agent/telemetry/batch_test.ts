import assert from "node:assert/strict";
import { Batch, UPLOAD_BYTES } from "../../../../src/agent/telemetry/batch.ts";
import { redact } from "../../../../src/domain/identity/mod.ts";
import { type TelemetryEvent, vmParameters } from "../../../../src/domain/wire/mod.ts";
import { readVectors } from "../../../vectors/read.ts";
import { SAMPLE_STATUS, sampleEvent, VM } from "./samples.ts";

interface Data {
  readonly events: readonly TelemetryEvent[];
  readonly xml: string;
}

const PARAMETERS = vmParameters(VM);

function textOf(batch: Batch): string {
  return new TextDecoder().decode(batch.document());
}

for (const { id, events, xml } of readVectors<Data>("telemetry/upload.json", ["events", "xml"])) {
  Deno.test(`Batch makes the golden upload: ${id}`, () => {
    const batch = new Batch(PARAMETERS, redact);
    for (const event of events) assert.equal(batch.add(event), "added");
    assert.equal(textOf(batch), xml);
    assert.equal(batch.bytes, new TextEncoder().encode(xml).length);
    assert.equal(batch.count, events.length);
  });
}

Deno.test("Batch stays below 64 KiB, to the byte", () => {
  const empty = new Batch(PARAMETERS, redact);
  empty.add(sampleEvent(""));
  const room = UPLOAD_BYTES - 1 - empty.bytes;
  const fitting = new Batch(PARAMETERS, (text) => text);
  assert.equal(fitting.add(sampleEvent("x".repeat(room))), "added");
  assert.equal(fitting.document().length, UPLOAD_BYTES - 1);
  assert.equal(fitting.add(sampleEvent("")), "full");
  const larger = new Batch(PARAMETERS, (text) => text);
  assert.equal(larger.add(sampleEvent("x".repeat(room + 1))), "too-large");
  assert.equal(larger.count, 0);
});

Deno.test("Batch leaves out the provider whose only event did not fit", () => {
  const batch = new Batch(PARAMETERS, (text) => text);
  batch.add(sampleEvent("x".repeat(62_000)));
  assert.equal(batch.add({ ...SAMPLE_STATUS, message: "y".repeat(4000) }), "full");
  assert.doesNotMatch(textOf(batch), /69B669B9/);
});
