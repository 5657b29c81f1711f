import assert from "node:assert/strict";
import { percentDecodeLossy, percentDecodeStrict } from "../../../../src/domain/canonical/mod.ts";
import { escapeAt } from "../../../../src/domain/canonical/percent.ts";

const BAD = "\ufffd";

const LOSSY: readonly (readonly [string, string])[] = [
  ["", ""],
  ["/plain+text", "/plain+text"],
  ["%41%42c", "ABc"],
  ["a%2Fb%2fc", "a/b/c"],
  ["%252F", "%2F"],
  ["%", "%"],
  ["%4", "%4"],
  ["%zz%41", "%zzA"],
  ["%4g%g4", "%4g%g4"],
  ["%%41", "%A"],
  ["%2%41", "%2A"],
  ["%00%7F", "\0\x7f"],
  ["%c3%A9", "é"],
  ["%c3%a9%05%50%0A", "é\x05P\n"],
  ["%E2%84%aa", "\u212a"],
  ["%F0%90%80%80", "\u{10000}"],
  ["%80", BAD],
  ["%c3", BAD],
  ["%c3x", `${BAD}x`],
  ["%c3%41", `${BAD}A`],
  ["%C0%AF", BAD + BAD],
  ["%E0%80%AF", BAD + BAD + BAD],
  ["%E2%84x", `${BAD}x`],
  ["%ED%A0%80", BAD + BAD + BAD],
  ["%c3é", `${BAD}é`],
  ["é%c3%a9%4", "éé%4"],
  ["é%41", "éA"],
  ["%EF%BB%BFa", "\ufeffa"],
  ["\ud800", BAD],
  ["\ud800%41", `${BAD}A`],
  ["\ud800%c3%a9", `${BAD}é`],
];

Deno.test("percentDecodeLossy() decodes once, keeps malformed escapes and replaces malformed UTF-8", () => {
  for (const [text, decoded] of LOSSY) assert.equal(percentDecodeLossy(text), decoded, text);
});

const STRICT: readonly (readonly [string, string, string?])[] = [
  ["", ""],
  ["/a+b", "/a+b"],
  ["%41%2f", "A/"],
  ["%2541", "%41"],
  ["é", "é"],
  ["é%41", "éA"],
  ["%c3%a9", "é"],
  ["%EF%BB%BFa", "\ufeffa"],
  ["%F4%8F%BF%BF", "\u{10ffff}"],
  ["%", "", "CANON_PCT"],
  ["a%4", "", "CANON_PCT"],
  ["%41%4", "", "CANON_PCT"],
  ["%zz", "", "CANON_PCT"],
  ["%4g", "", "CANON_PCT"],
  ["%g4", "", "CANON_PCT"],
  ["%%41", "", "CANON_PCT"],
  ["%80%zz", "", "CANON_PCT"],
  ["\ud800%zz", "", "CANON_PCT"],
  ["%80", "", "CANON_UTF8"],
  ["%c3", "", "CANON_UTF8"],
  ["%c3%28", "", "CANON_UTF8"],
  ["%C0%AF", "", "CANON_UTF8"],
  ["%E0%80%AF", "", "CANON_UTF8"],
  ["%F0%80%80%AF", "", "CANON_UTF8"],
  ["%ED%A0%80", "", "CANON_UTF8"],
  ["%F4%90%80%80", "", "CANON_UTF8"],
  ["\ud800", "", "CANON_UTF8"],
  ["\udc00%41", "", "CANON_UTF8"],
  ["\ud800%c3%a9", "", "CANON_UTF8"],
];

Deno.test("percentDecodeStrict() accepts whole escapes of well-formed UTF-8 alone", () => {
  for (const [text, value, error] of STRICT) {
    const expected = error === undefined ? { ok: true, value } : { ok: false, error };
    assert.deepEqual(percentDecodeStrict(text), expected, text);
  }
});

Deno.test("percentDecodeStrict() decodes every byte of ASCII, in either case of the digits", () => {
  for (let byte = 0; byte < 0x80; byte++) {
    const digits = byte.toString(16).padStart(2, "0");
    for (const escape of [`%${digits}`, `%${digits.toUpperCase()}`]) {
      assert.deepEqual(percentDecodeStrict(escape), { ok: true, value: String.fromCharCode(byte) });
      assert.equal(escapeAt(`x${escape}`, 1), byte);
    }
  }
});

Deno.test("escapeAt() finds no escape where there is none", () => {
  for (
    const text of [
      "",
      "a",
      "%",
      "%4",
      "%:0",
      "%/0",
      "%@0",
      "%G0",
      "%`0",
      "%g0",
      "%0:",
      "%0G",
      "x41",
    ]
  ) {
    assert.equal(escapeAt(text, 0), -1, text);
  }
});

Deno.test("percentDecodeLossy() takes time in proportion to the text", () => {
  // One pass each: a second look at the rest for every escape would take minutes here.
  const long = "%C3a%".repeat(200_000);
  assert.equal(percentDecodeLossy(long), `${BAD}a%`.repeat(200_000));
  assert.equal(percentDecodeLossy("%41%".repeat(200_000)), "A%".repeat(200_000));
});
