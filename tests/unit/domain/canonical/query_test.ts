import assert from "node:assert/strict";
import { canonicalQuery, canonicalQueryText } from "../../../../src/domain/canonical/mod.ts";

type Pairs = readonly (readonly [string, readonly string[]])[];

const READ: readonly (readonly [query: string | null, pairs: Pairs])[] = [
  [null, []],
  ["", []],
  ["&&", []],
  ["=", []],
  ["=x&=y", []],
  ["=x&k=v", [["k", ["v"]]]],
  ["k", [["k", [""]]]],
  ["k=", [["k", [""]]]],
  ["k&&l&", [["k", [""]], ["l", [""]]]],
  ["K=V&k=w&L=1&K=v", [["k", ["v", "w", "v"]], ["l", ["1"]]]],
  ["b=1&a=2", [["a", ["2"]], ["b", ["1"]]]],
  ["a=b=c", [["a", ["b=c"]]]],
  ["a&b=c", [["a", [""]], ["b", ["c"]]]],
  ["a=1;b=2", [["a", ["1;b=2"]]]],
  ["a=1?b=2", [["a", ["1?b=2"]]]],
  ["a=b+c&d+e=f", [["a", ["b c"]], ["d e", ["f"]]]],
  ["a=b%2Bc", [["a", ["b+c"]]]],
  ["a%3D1=2&x=%26y", [["a=1", ["2"]], ["x", ["&y"]]]],
  ["a=%41%5A&%42=C", [["a", ["az"]], ["b", ["c"]]]],
  ["a=%2541", [["a", ["%41"]]]],
  ["R=%C3%89&s=É", [["r", ["É"]], ["s", ["É"]]]],
  ["%E2%84%AA=A&k=B", [["\u212a", ["a"]], ["k", ["b"]]]],
  ["a=%EF%BB%BFb", [["a", ["\ufeffb"]]]],
  ["a=%C2%80", [["a", ["\x80"]]]],
  ["resource=https%3A%2F%2Fvault.azure.net%2F&api-version=2018-02-01", [
    ["api-version", ["2018-02-01"]],
    ["resource", ["https://vault.azure.net/"]],
  ]],
];

for (const [query, pairs] of READ) {
  Deno.test(`canonicalQuery() reads ${JSON.stringify(query)}`, () => {
    assert.deepEqual(canonicalQuery(query), { ok: true, value: new Map(pairs) });
  });
}

const REFUSED: readonly (readonly [query: string, code: string])[] = [
  ["k=%", "CANON_PCT"],
  ["%zz=1", "CANON_PCT"],
  ["=%zz", "CANON_PCT"],
  ["k=%80", "CANON_UTF8"],
  ["k=\udc00", "CANON_UTF8"],
  ["=%80", "CANON_UTF8"],
  ["k=%0A", "CANON_CTRL"],
  ["k=\t", "CANON_CTRL"],
  ["\x7f=1", "CANON_CTRL"],
  ["%7f", "CANON_CTRL"],
  ["a=%00&b=%zz", "CANON_CTRL"],
  ["%80=%zz", "CANON_UTF8"],
  ["a=%zz&%80", "CANON_PCT"],
];

for (const [query, error] of REFUSED) {
  Deno.test(`canonicalQuery() refuses ${JSON.stringify(query)} with ${error}`, () => {
    assert.deepEqual(canonicalQuery(query), { ok: false, error });
  });
}

Deno.test("canonicalQueryText() reads one text, separators included", () => {
  assert.deepEqual(canonicalQueryText("A&b=%43+d"), { ok: true, value: "a&b=c d" });
  assert.deepEqual(canonicalQueryText("%zz"), { ok: false, error: "CANON_PCT" });
  assert.deepEqual(canonicalQueryText("%1f"), { ok: false, error: "CANON_CTRL" });
});

Deno.test("canonicalQuery() takes time in proportion to the text", () => {
  // Searching the rest once for each pair would take minutes here.
  const read = canonicalQuery(`${"a&".repeat(300_000)}=%20`);
  assert.ok(read.ok && read.value.get("a")?.length === 300_000);
});
