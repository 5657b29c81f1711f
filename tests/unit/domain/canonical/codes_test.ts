import assert from "node:assert/strict";
import { CANON_CODES, CANON_MEANINGS } from "../../../../src/domain/canonical/mod.ts";

Deno.test("CANON_CODES lists the codes of the table in its order", () => {
  assert.deepEqual(
    CANON_CODES.map((code) => code.replace("CANON_", "")),
    [
      ...["SCHEME", "METHOD", "USERINFO", "PCT", "OVERLONG", "UTF8", "NON_ASCII", "CTRL"],
      ...["UNDERFLOW", "EMBQ", "HOST", "PORT"],
    ],
  );
});

Deno.test("CANON_MEANINGS says something else about each code", () => {
  const meanings = Object.values(CANON_MEANINGS);
  assert.equal(new Set(meanings).size, CANON_CODES.length);
  for (const meaning of meanings) assert.match(meaning, /^[a-z][^.]+[^.]$/);
});
