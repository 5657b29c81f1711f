import assert from "node:assert/strict";
import { type RawTarget, splitTarget } from "../../../../src/domain/canonical/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Split extends RawTarget {
  readonly text: string;
}

for (
  const vector of readVectors<Split>("target/split.json", [
    "text",
    "form",
    "target",
    "path",
    "query",
    "authority",
  ])
) {
  Deno.test(`splitTarget() splits ${vector.id}`, () => {
    const { form, target, path, query, authority } = vector;
    assert.deepEqual(splitTarget(vector.text), { form, target, path, query, authority });
  });
}
