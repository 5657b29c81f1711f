import assert from "node:assert/strict";
import { isTraversal } from "../../../../src/domain/canonical/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Guarded {
  readonly path: string;
  readonly refused: boolean;
}

for (const vector of readVectors<Guarded>("target/traversal.json", ["path", "refused"])) {
  Deno.test(`isTraversal() ${vector.refused ? "refuses" : "lets pass"} ${vector.path}`, () => {
    assert.equal(isTraversal(vector.path), vector.refused, vector.why);
  });
}
