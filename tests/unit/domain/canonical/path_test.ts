import assert from "node:assert/strict";
import { canonicalPath } from "../../../../src/domain/canonical/mod.ts";

const READ:
  readonly (readonly [path: string, segments: readonly string[], trailingSlash?: true])[] = [
    ["", []],
    ["/", []],
    ["//", []],
    ["/./", []],
    ["/;/", []],
    ["/%2f/", []],
    ["/a/..", []],
    ["/a/../", []],
    ["/Metadata/Identity", ["metadata", "identity"]],
    ["metadata/instance", ["metadata", "instance"]],
    ["/a/", ["a"], true],
    ["/a//", ["a"], true],
    ["/a/./", ["a"], true],
    ["/a/b/../", ["a"], true],
    ["/a%2F", ["a"]],
    ["/a/%2F", ["a"]],
    ["/a/.", ["a"]],
    ["/a/;", ["a"]],
    ["/a;/", ["a"], true],
    ["/a%2fb%2Fc", ["a", "b", "c"]],
    ["/a%252fb", ["a%2fb"]],
    ["/%41%5A", ["az"]],
    ["/a/%2e%2E/b", ["b"]],
    ["/a/.%2e/b", ["b"]],
    ["/a/...", ["a", "..."]],
    ["/.a/a./..a", [".a", "a.", "..a"]],
    ["/a;x=1/b;y;z/c", ["a", "b", "c"]],
    ["/;x/b;/;y", ["b"]],
    ["/a%3Bb/c", ["a", "c"]],
    [";x/a;y/b", ["a", "b"]],
    ["/a/..;x/b", ["b"]],
    ["/.;x/b", ["b"]],
    ["/a/b;c%2fd", ["a", "b", "d"]],
    ["/a\\b", ["a\\b"]],
    ["/a%5Cb", ["a\\b"]],
    ["/a%20", ["a "]],
    ["/a b#c", ["a b#c"]],
    ["/foo+bar", ["foo+bar"]],
    ["/~!$&'()*,:=@[]^_`{|}\"<>", ["~!$&'()*,:=@[]^_`{|}\"<>"]],
    ["*", ["*"]],
  ];

for (const [path, segments, trailingSlash = false] of READ) {
  Deno.test(`canonicalPath() reads ${JSON.stringify(path)}`, () => {
    const value = { segments: ["", ...segments], trailingSlash };
    assert.deepEqual(canonicalPath(path), { ok: true, value });
  });
}

const REFUSED: readonly (readonly [path: string, code: string])[] = [
  ["/..", "CANON_UNDERFLOW"],
  ["/%2e%2E", "CANON_UNDERFLOW"],
  ["/a/../../b", "CANON_UNDERFLOW"],
  ["/..;x", "CANON_UNDERFLOW"],
  ["/a?b", "CANON_EMBQ"],
  ["/a%3fb/../..", "CANON_EMBQ"],
  ["/é", "CANON_NON_ASCII"],
  ["/%C3%A9?", "CANON_NON_ASCII"],
  ["/\x80", "CANON_NON_ASCII"],
  ["/%C2%80", "CANON_NON_ASCII"],
  ["/\u{10000}", "CANON_NON_ASCII"],
  ["/\uffff", "CANON_NON_ASCII"],
  ["/a\x01é?", "CANON_CTRL"],
  ["/%1F", "CANON_CTRL"],
  ["/\x7f", "CANON_CTRL"],
  ["/%7f", "CANON_CTRL"],
  ["/%00", "CANON_CTRL"],
  ["/%80%00", "CANON_UTF8"],
  ["/\ud800", "CANON_UTF8"],
  ["/%80/%", "CANON_PCT"],
  ["/../%zz", "CANON_PCT"],
];

for (const [path, error] of REFUSED) {
  Deno.test(`canonicalPath() refuses ${JSON.stringify(path)} with ${error}`, () => {
    assert.deepEqual(canonicalPath(path), { ok: false, error });
  });
}

Deno.test("canonicalPath() takes time in proportion to the text", () => {
  // Searching the rest once for each segment would take minutes here.
  const deep = canonicalPath(`${"/a".repeat(300_000)};x`);
  assert.ok(deep.ok && deep.value.segments.length === 300_001);
  const dots = canonicalPath("/a/../;".repeat(300_000));
  assert.ok(dots.ok && dots.value.segments.length === 1);
});
