import assert from "node:assert/strict";
import { canonicalize } from "../../../../src/domain/canonical/mod.ts";
import { METHODS } from "../../../../src/domain/wire/mod.ts";

function read(target: string): unknown {
  const result = canonicalize({ method: "GET", target });
  if (!result.ok) return result.error;
  const { destination, segments, trailingSlash, query } = result.value;
  const place = destination.kind === "unknown"
    ? destination.hostText ?? destination.ip ?? ""
    : destination.kind;
  return [place, segments.join("/") + (trailingSlash ? "/" : ""), Object.fromEntries(query)];
}

const READ: readonly (readonly [target: string, expected: unknown])[] = [
  ["/Metadata/Instance?API-version=2021-02-01", ["", "/metadata/instance", {
    "api-version": ["2021-02-01"],
  }]],
  ["/a/?", ["", "/a/", {}]],
  ["/a?b?c=d", ["", "/a", { "b?c": ["d"] }]],
  ["/a#b?c", ["", "/a", {}]],
  ["/a#b#c", ["", "/a", {}]],
  ["#a", ["", "", {}]],
  ["/a?b#c", ["", "/a", { b: [""] }]],
  ["/a?x=http://h/", ["", "/a", { x: ["http://h/"] }]],
  ["/x://h/a", ["", "/x:/h/a", {}]],
  ["/", ["", "", {}]],
  ["", ["", "", {}]],
  ["?x=1", ["", "", { x: ["1"] }]],
  ["*", ["", "/*", {}]],
  ["*?x", ["", "/*", { x: [""] }]],
  ["http://169.254.169.254/a/b?c", ["imds", "/a/b", { c: [""] }]],
  ["HTTP://169.254.169.254", ["imds", "", {}]],
  ["hTTp://169.254.169.254?x=1", ["imds", "", { x: ["1"] }]],
  ["http://localhost//a", ["localhost", "/a", {}]],
  ["localhost:80", ["localhost", "", {}]],
  ["169.254.169.254", ["imds", "", {}]],
  ["https://h/", "CANON_SCHEME"],
  ["file://h/", "CANON_SCHEME"],
  ["://h/x", "CANON_SCHEME"],
  ["1http://h/x", "CANON_SCHEME"],
  ["http2://h/x", "CANON_SCHEME"],
  ["xhttp://h/x", "CANON_SCHEME"],
  ["http:///x", "CANON_HOST"],
  ["http://", "CANON_HOST"],
  ["http:/h/x", "CANON_PORT"],
  ["foo/x", "CANON_HOST"],
  ["foo?x", "CANON_HOST"],
  ["foo//x", "CANON_HOST"],
  ["169.254.169.254/x", "CANON_HOST"],
  ["h:80?x", "CANON_PORT"],
  ["**", "CANON_HOST"],
  ["a@b", "CANON_USERINFO"],
  ["http://a@b/%zz", "CANON_USERINFO"],
  ["http://a_b/%zz", "CANON_HOST"],
  ["/%zz?%80", "CANON_PCT"],
  ["/..?%80", "CANON_UNDERFLOW"],
  ["/a?%80", "CANON_UTF8"],
];

for (const [target, expected] of READ) {
  Deno.test(`canonicalize() reads ${JSON.stringify(target)}`, () => {
    assert.deepEqual(read(target), expected);
  });
}

Deno.test("canonicalize() knows the served methods, and judges them after the scheme and before the rest", () => {
  for (const method of METHODS) {
    const result = canonicalize({ method, target: "/x" });
    assert.ok(result.ok && result.value.method === method);
  }
  for (const method of ["CONNECT", "TRACE", "get", "", "BREW"]) {
    assert.deepEqual(canonicalize({ method, target: "/%zz" }), {
      ok: false,
      error: "CANON_METHOD",
    });
    assert.deepEqual(canonicalize({ method, target: "http://a@b" }), {
      ok: false,
      error: "CANON_METHOD",
    });
    assert.deepEqual(canonicalize({ method, target: "ftp://h/" }), {
      ok: false,
      error: "CANON_SCHEME",
    });
  }
});

Deno.test("canonicalize() of the root leaves nothing that a caller could change for the next one", () => {
  const result = canonicalize({ method: "GET", target: "/" });
  assert.ok(result.ok && Object.isFrozen(result.value.segments));
});
