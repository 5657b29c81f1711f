import assert from "node:assert/strict";
import { type InstanceFacts, readInstance } from "../../../../src/domain/wire/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Data {
  readonly text: string;
  readonly instance: InstanceFacts | null;
}

for (
  const { id, text, instance } of readVectors<Data>("telemetry/instance.json", ["text", "instance"])
) {
  Deno.test(`readInstance() reads: ${id}`, () => {
    const read = readInstance(text);
    assert.deepEqual(read.ok ? read.value : null, instance);
  });
}

Deno.test("readInstance() names what is wrong and takes nothing that is too long", () => {
  const document = {
    compute: { subscriptionId: "s", resourceGroupName: "r".repeat(257), vmId: "v" },
  };
  const read = readInstance(JSON.stringify(document));
  assert.ok(!read.ok);
  assert.match(read.error, /compute\.resourceGroupName/);
});
