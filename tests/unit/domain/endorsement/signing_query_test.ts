import assert from "node:assert/strict";
import { signingQuery } from "../../../../src/domain/endorsement/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Query {
  readonly query: string | null;
  readonly signed: string;
}

for (const vector of readVectors<Query>("signing/queries.json", ["query", "signed"])) {
  Deno.test(`signingQuery() writes ${vector.id}`, () => {
    assert.equal(signingQuery(vector.query), vector.signed, vector.why);
  });
}
