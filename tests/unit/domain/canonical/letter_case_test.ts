import assert from "node:assert/strict";
import { asciiLower, unicodeLower } from "../../../../src/domain/canonical/mod.ts";

const KELVIN = "\u212a";

Deno.test("asciiLower() folds A to Z and nothing else", () => {
  assert.equal(asciiLower("AZaz@[`{09"), "azaz@[`{09");
  assert.equal(asciiLower(`${KELVIN}ÉΣİAZ`), `${KELVIN}ÉΣİaz`);
  assert.equal(asciiLower("É"), "É");
  assert.equal(asciiLower(""), "");
  for (let code = 0; code < 0x180; code++) {
    const letter = String.fromCharCode(code);
    const isUpper = code >= 0x41 && code <= 0x5a;
    const expected = isUpper ? String.fromCharCode(code + 32) : letter;
    assert.equal(asciiLower(letter), expected);
    assert.equal(asciiLower(`A${KELVIN}${letter}`), `a${KELVIN}${expected}`);
  }
});

Deno.test("unicodeLower() folds by all rules of Unicode", () => {
  assert.equal(unicodeLower(`/A${KELVIN}É`), "/aké");
  assert.equal(unicodeLower("İ"), "i\u0307");
  assert.equal(unicodeLower("ΑΣ ΣΑ"), "ας σα");
});

Deno.test("unicodeLower() knows the letters that came late, and their neighbours as they are", () => {
  const late = new Map([[0xa7ce, 0xa7cf], [0xa7d2, 0xa7d3], [0xa7d4, 0xa7d5]]);
  for (let code = 0x16ea0; code <= 0x16eb8; code++) late.set(code, code + 0x1b);
  assert.equal(late.size, 28);
  for (const [upper, lower] of late) {
    const letter = String.fromCodePoint(upper);
    assert.equal(
      unicodeLower(`A${letter}B${letter}`),
      `a${String.fromCodePoint(lower)}b${String.fromCodePoint(lower)}`,
    );
  }
  for (const code of [0xa7cf, 0xa7d3, 0xa7d5, 0x16e9f, 0x16eb9, 0x16ebb]) {
    assert.equal(unicodeLower(String.fromCodePoint(code)), String.fromCodePoint(code));
  }
});
