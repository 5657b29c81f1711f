import assert from "node:assert/strict";
import fc from "fast-check";
import { formatHostDate, parseHostDate } from "../../src/domain/endorsement/mod.ts";
import { check } from "./check.ts";

const FIRST_MS = -62_167_219_200_000;
const LAST_MS = 253_402_300_799_999;
const time = fc.integer({ min: FIRST_MS, max: LAST_MS });

Deno.test("parseHostDate() reads back what formatHostDate() writes, to the second", () => {
  check(fc.property(time, (unixMs) => {
    const text = formatHostDate(unixMs);
    assert.equal(text.length, 29);
    assert.deepEqual(parseHostDate(text), { ok: true, value: Math.floor(unixMs / 1000) * 1000 });
  }));
});

Deno.test("formatHostDate() agrees with the platform", () => {
  const fourDigits = fc.integer({ min: -30_610_224_000_000, max: LAST_MS });
  check(fc.property(fourDigits, (unixMs) => {
    assert.equal(formatHostDate(unixMs), new Date(unixMs).toUTCString());
  }));
});

Deno.test("parseHostDate() refuses every text with one character changed, unless that is another date", () => {
  const change = fc.tuple(
    time,
    fc.nat(28),
    fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 1 }),
  );
  check(
    fc.property(change, ([unixMs, at, character]) => {
      const text = formatHostDate(unixMs);
      const changed = text.slice(0, at) + character + text.slice(at + 1);
      const parsed = parseHostDate(changed);
      if (!parsed.ok) return;
      assert.equal(formatHostDate(parsed.value).slice(3), changed.slice(3));
    }),
    2000,
  );
});
