import assert from "node:assert/strict";
import { checkTarget, splitTarget } from "../../../../src/domain/canonical/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Syntax {
  readonly target: string;
  readonly code: string | null;
}

for (const vector of readVectors<Syntax>("target/syntax.json", ["target", "code"])) {
  Deno.test(`checkTarget() ${vector.code === null ? "accepts" : "refuses"} ${vector.id}`, () => {
    const checked = checkTarget(splitTarget(vector.target));
    assert.equal(checked.ok ? null : checked.error, vector.code, vector.why);
  });
}

Deno.test("checkTarget() bounds the length", () => {
  assert.equal(checkTarget(splitTarget("/" + "a".repeat(65_533))).ok, true);
  assert.deepEqual(checkTarget(splitTarget("/" + "a".repeat(65_534))), {
    ok: false,
    error: "TARGET_TOO_LONG",
  });
});

Deno.test("checkTarget() agrees with the list of bytes for each of the 256", () => {
  const inPath =
    `!"$%&'()*+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_abcdefghijklmnopqrstuvwxyz{|}~`;
  const inQuery = inPath.replace('"', "") + "?`";
  for (let byte = 0; byte < 256; byte++) {
    const text = String.fromCharCode(byte);
    if (text === "#" || text === "?") continue;
    assert.equal(checkTarget(splitTarget(`/${text}`)).ok, inPath.includes(text), `path ${byte}`);
    assert.equal(checkTarget(splitTarget(`/?${text}`)).ok, inQuery.includes(text), `query ${byte}`);
  }
});
