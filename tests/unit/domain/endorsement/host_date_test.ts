import assert from "node:assert/strict";
import { formatHostDate, parseHostDate } from "../../../../src/domain/endorsement/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface DateVector {
  readonly text: string;
  readonly unixMs: number | null;
}

for (const vector of readVectors<DateVector>("host_date/dates.json", ["text", "unixMs"])) {
  Deno.test(`parseHostDate() ${vector.unixMs === null ? "refuses" : "reads"} ${vector.id}`, () => {
    assert.deepEqual(
      parseHostDate(vector.text),
      vector.unixMs === null
        ? { ok: false, error: "HOST_DATE_SYNTAX" }
        : { ok: true, value: vector.unixMs },
      vector.why,
    );
  });
}

Deno.test("formatHostDate() writes the worked example, cut to the second", () => {
  assert.equal(formatHostDate(1_767_683_289_999.9), "Tue, 06 Jan 2026 07:08:09 GMT");
  assert.equal(formatHostDate(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  assert.equal(formatHostDate(-59_042_995_200_000), "Thu, 01 Jan 0099 00:00:00 GMT");
});

Deno.test("formatHostDate() stays within four-digit years", () => {
  assert.equal(formatHostDate(Infinity), "Fri, 31 Dec 9999 23:59:59 GMT");
  assert.equal(formatHostDate(-Infinity), "Sat, 01 Jan 0000 00:00:00 GMT");
});
