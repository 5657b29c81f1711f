import assert from "node:assert/strict";
import { strictTarget } from "../../../../src/domain/canonical/mod.ts";

const STRICT: readonly string[] = [
  "/",
  "/machine/",
  "/metadata/instance",
  "/Metadata/Identity/OAuth2/token",
  "/machine/8fc4f63c-1b2c/b45cfe9c%2Daec3%2D45c8.%5Fvmname",
  "/.well-known/a..b/...x/a.b",
  "/a%2eb/%2ex",
  "/a b/a%20b/%20a",
  "/~!$&'()*+,:=@[]^_`{|}\"<>%7e%3A",
];

Deno.test("strictTarget() lets ordinary paths pass", () => {
  for (const path of STRICT) {
    assert.equal(strictTarget(path, null), null, path);
    assert.equal(
      strictTarget(path, "api-version=2018-02-01&resource=https%3A%2F%2Fa%25%5C%3B"),
      null,
    );
  }
});

const FAULTS: readonly (readonly [path: string, fault: string])[] = [
  ["", "STRICT_FORM"],
  ["*", "STRICT_FORM"],
  ["metadata", "STRICT_FORM"],
  ["/a%", "STRICT_PCT"],
  ["/a%2", "STRICT_PCT"],
  ["/%zz", "STRICT_PCT"],
  ["/a\\b", "STRICT_BACKSLASH"],
  ["/a%5cb", "STRICT_BACKSLASH"],
  ["/a%5Cb", "STRICT_BACKSLASH"],
  ["/a%2fb", "STRICT_ENCODED_SLASH"],
  ["/a%2F", "STRICT_ENCODED_SLASH"],
  ["/%2F", "STRICT_ENCODED_SLASH"],
  ["/a%252fb", "STRICT_DOUBLE_ENCODING"],
  ["/%25", "STRICT_DOUBLE_ENCODING"],
  ["/%00", "STRICT_CONTROL"],
  ["/%1f", "STRICT_CONTROL"],
  ["/%7F", "STRICT_CONTROL"],
  ["/\x7f", "STRICT_CONTROL"],
  ["/\x1f", "STRICT_CONTROL"],
  ["/%80", "STRICT_NON_ASCII"],
  ["/%C3%A9", "STRICT_NON_ASCII"],
  ["/é", "STRICT_NON_ASCII"],
  ["/\u212a", "STRICT_NON_ASCII"],
  ["/a;x", "STRICT_SEMICOLON"],
  ["/a%3bx", "STRICT_SEMICOLON"],
  ["/a%3Fb", "STRICT_EMBEDDED_QUERY"],
  ["/a?b", "STRICT_EMBEDDED_QUERY"],
  ["/a%23b", "STRICT_FRAGMENT"],
  ["/a#b", "STRICT_FRAGMENT"],
  ["//", "STRICT_EMPTY_SEGMENT"],
  ["//a", "STRICT_EMPTY_SEGMENT"],
  ["/a//b", "STRICT_EMPTY_SEGMENT"],
  ["/a//", "STRICT_EMPTY_SEGMENT"],
  ["/.", "STRICT_DOT_SEGMENT"],
  ["/./a", "STRICT_DOT_SEGMENT"],
  ["/..", "STRICT_DOT_SEGMENT"],
  ["/%2e%2E/a", "STRICT_DOT_SEGMENT"],
  ["/a/%2e/b", "STRICT_DOT_SEGMENT"],
  ["/a/..", "STRICT_DOT_SEGMENT"],
  ["/a/.%2E/b", "STRICT_DOT_SEGMENT"],
  ["/a/%2e.", "STRICT_DOT_SEGMENT"],
  ["/a/%2e%2e/b", "STRICT_DOT_SEGMENT"],
  ["/...", "STRICT_SEGMENT_END"],
  ["/a.", "STRICT_SEGMENT_END"],
  ["/a%2e", "STRICT_SEGMENT_END"],
  ["/%61.", "STRICT_SEGMENT_END"],
  ["/token./x", "STRICT_SEGMENT_END"],
  ["/token%20", "STRICT_SEGMENT_END"],
  ["/token /x", "STRICT_SEGMENT_END"],
  ["/a/token%2E/", "STRICT_SEGMENT_END"],
];

for (const [path, fault] of FAULTS) {
  Deno.test(`strictTarget() finds ${fault} in ${JSON.stringify(path)}`, () => {
    assert.equal(strictTarget(path, null), fault);
    assert.equal(strictTarget(path, "a=1"), fault);
  });
}

Deno.test("strictTarget() names the fault that stands first", () => {
  assert.equal(strictTarget("/a./b\\", ";"), "STRICT_SEGMENT_END");
  assert.equal(strictTarget("/a\\b.", ";"), "STRICT_BACKSLASH");
  assert.equal(strictTarget("/a%2f%5c", null), "STRICT_ENCODED_SLASH");
});

Deno.test("strictTarget() refuses a raw semicolon in a query and nothing else there", () => {
  assert.equal(strictTarget("/machine/", "comp=goalstate;comp=certificates"), "STRICT_SEMICOLON");
  assert.equal(strictTarget("/machine/", ";"), "STRICT_SEMICOLON");
  for (const query of ["", "comp=%3B", "x=%2F%5C%25%00", "a//b/../c", "x=\\", "a=?"]) {
    assert.equal(strictTarget("/machine/", query), null, query);
  }
});
