import assert from "node:assert/strict";
import { isRefusal, takeIn } from "../../../../src/agent/proxy/intake.ts";

const OWN = "localhost:3080";

interface Given {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: [string, string][];
}

/** A request as the server shows it; the real one would normalise its URL. */
function given({ method = "GET", url = "http://h/a", headers = [["host", "h"]] }: Given): Request {
  return { method, url, headers: new Headers(headers) } as unknown as Request;
}

function accepted(request: Given) {
  const { outcome } = takeIn(given(request), OWN, 100);
  assert.ok(!isRefusal(outcome), JSON.stringify(outcome));
  return outcome;
}

function refused(request: Given) {
  const { outcome } = takeIn(given(request), OWN, 100);
  assert.ok(isRefusal(outcome));
  return [outcome.status, outcome.reason];
}

Deno.test("takeIn() keeps the raw target and splits it", () => {
  const request = accepted({ url: "http://h/a/./b%2f?x=1&&y#frag" });
  assert.equal(request.target, "/a/./b%2f?x=1&&y");
  assert.equal(request.path, "/a/./b%2f");
  assert.equal(request.query, "x=1&&y");
  assert.equal(accepted({ url: "http://h/a?" }).query, "");
  assert.equal(accepted({ url: "http://h/a" }).query, null);
});

Deno.test("takeIn() finds the target behind hosts of every form", () => {
  for (const host of ["169.254.169.254", "h:80", "EXAMPLE.com", "[::1]:80", "a_b.c~d"]) {
    assert.equal(
      accepted({ url: `http://${host}/a?b=http://x/y`, headers: [["host", host]] }).target,
      "/a?b=http://x/y",
    );
  }
});

Deno.test("takeIn() finds the target of a request without Host", () => {
  assert.equal(accepted({ url: `http://${OWN}/a`, headers: [] }).target, "/a");
  assert.equal(accepted({ url: `http://${OWN}/a`, headers: [["host", ""]] }).target, "/a");
});

for (
  const [what, request] of [
    ["an absolute form of another authority", { url: "http://other/a" }],
    ["an authority that only begins like Host", { url: "http://host.evil/a" }],
    ["an authority with a port that Host lacks", { url: "http://h:80/a" }],
    ["an authority with user information", { url: "http://u@h/a" }],
    ["another scheme", { url: "https://h/a" }],
    ["a scheme in capitals", { url: "HTTP://h/a" }],
    ["a query right behind the authority", { url: "http://h?a" }],
    ["no path at all", { url: "http://h" }],
    ["HTTP/2, which has no Host", { url: "http://127.0.0.1:3080/a", headers: [] }],
    ["an asterisk", { method: "OPTIONS", url: "http://h/*" }],
    ["an asterisk with a query", { url: "http://h/*?x" }],
  ] as [string, Given][]
) {
  Deno.test(`takeIn() refuses ${what} as ambiguous`, () => {
    assert.deepEqual(refused(request), [403, "ambiguous-target"]);
  });
}

Deno.test("takeIn() refuses hosts in which the authority's end cannot be seen", () => {
  for (const host of ["a/b", "a?b", "a#b", "u@h", "a b", "a, b", "a\\b"]) {
    assert.deepEqual(refused({ url: `http://${host}/a`, headers: [["host", host]] }), [
      400,
      "bad-request",
    ], host);
  }
});

Deno.test("takeIn() refuses forbidden bytes in targets", () => {
  for (const path of ["/é", "/a<b", "/a`b", "/a b", '/a?b"c', "/a?b<c"]) {
    assert.deepEqual(refused({ url: `http://h${path}` }), [400, "bad-request"], path);
  }
  assert.deepEqual(refused({ url: `http://h/${"a".repeat(65_534)}` }), [414, "bad-request"]);
});

Deno.test("takeIn() refuses traversal in the path and not in the query", () => {
  for (const path of ["/a/../b", "/a..b", "/%2e./a", "//a", "/a//b"]) {
    assert.deepEqual(refused({ url: `http://h${path}` }), [403, "path-traversal"], path);
  }
  accepted({ url: "http://h/a?b=..//" });
});

Deno.test("takeIn() passes header fields on, with the framing they announce", () => {
  const request = accepted({
    method: "POST",
    headers: [["host", "h"], ["X-B", " 2 "], ["content-length", "5"], ["accept", "*/*"]],
  });
  assert.deepEqual(request.framing, { kind: "length", bytes: 5 });
  assert.deepEqual([...request.headers].sort(), [
    ["accept", "*/*"],
    ["content-length", "5"],
    ["host", "h"],
    ["x-b", "2"],
  ]);
  const chunked = accepted({
    method: "POST",
    headers: [["host", "h"], ["transfer-encoding", "Chunked"]],
  });
  assert.deepEqual(chunked.framing, { kind: "chunked" });
  assert.deepEqual(accepted({ method: "POST" }).framing, { kind: "none" });
});

Deno.test("takeIn() takes a repeated equal length for one", () => {
  const request = accepted({
    method: "POST",
    headers: [["host", "h"], ["content-length", "3, 3"]],
  });
  assert.deepEqual(request.framing, { kind: "length", bytes: 3 });
});

for (
  const headers of [
    [["content-length", "3"], ["transfer-encoding", "chunked"]],
    [["content-length", "3, 4"]],
    [["content-length", "-3"]],
    [["content-length", "x"]],
    [["transfer-encoding", "gzip, chunked"]],
    [["transfer-encoding", "identity"]],
    [["transfer-encoding", ""]],
  ] as [string, string][][]
) {
  Deno.test(`takeIn() refuses the framing ${JSON.stringify(headers)}`, () => {
    assert.deepEqual(refused({ method: "POST", headers: [["host", "h"], ...headers] }), [
      400,
      "bad-request",
    ]);
  });
}

Deno.test("takeIn() refuses a body with GET and HEAD, and lets an empty one pass", () => {
  for (const method of ["GET", "HEAD"]) {
    assert.deepEqual(refused({ method, headers: [["host", "h"], ["content-length", "1"]] }), [
      400,
      "bad-request",
    ]);
    assert.deepEqual(
      refused({ method, headers: [["host", "h"], ["transfer-encoding", "chunked"]] }),
      [400, "bad-request"],
    );
    accepted({ method, headers: [["host", "h"], ["content-length", "0"]] });
  }
});

Deno.test("takeIn() refuses by size before it looks at method or target", () => {
  const headers: [string, string][] = [["host", "h"], ["content-length", "104857601"]];
  assert.deepEqual(refused({ method: "BREW", url: "http://other/..", headers }), [
    413,
    "body-too-large",
  ]);
  assert.deepEqual(
    refused({ method: "POST", headers: [["host", "h"], ["content-length", "102401"]] }),
    [413, "body-too-large"],
  );
});

Deno.test("takeIn() lets the larger body of an upload pass, wherever it goes", () => {
  const headers: [string, string][] = [["host", "h"], ["content-length", "104857600"]];
  accepted({ method: "PUT", url: "http://h/vmAgentLog", headers });
});

Deno.test("takeIn() refuses other methods before it looks at the target", () => {
  for (const method of ["TRACE", "CONNECT", "get", "PROPFIND"]) {
    assert.deepEqual(refused({ method, url: "http://foo:80" }), [405, "method-not-allowed"]);
  }
});

Deno.test("takeIn() counts header fields", () => {
  const fields = (
    count: number,
  ): [string, string][] => [
    ["host", "h"],
    ...Array.from({ length: count - 1 }, (_, i): [string, string] => [`h${i}`, "1"]),
  ];
  accepted({ headers: fields(100) });
  assert.deepEqual(refused({ headers: fields(101) }), [431, "head-too-large"]);
});

Deno.test("takeIn() refuses header values above ASCII", () => {
  assert.deepEqual(refused({ headers: [["host", "h"], ["x", "\xe9"]] }), [400, "header-not-ascii"]);
});

Deno.test("takeIn() leaves persistence of the caller's connection behind", () => {
  const names = (connection: string) =>
    accepted({
      headers: [["host", "h"], ["connection", connection], ["keep-alive", "x"], [
        "proxy-connection",
        "y",
      ]],
    })
      .headers.map(([name]) => name).sort();
  for (const value of ["close", "Keep-Alive", "close, keep-alive", ""]) {
    assert.deepEqual(names(value), ["host"], value);
  }
  for (const value of ["upgrade", "close, x-foo"]) {
    assert.deepEqual(names(value), ["connection", "host"], value);
  }
});

Deno.test("takeIn() says method and target also of a request it refuses", () => {
  const { method, target } = takeIn(given({ method: "TRACE", url: "http://h/a?b" }), OWN, 100);
  assert.deepEqual([method, target], ["TRACE", "/a?b"]);
  assert.equal(takeIn(given({ url: "http://other/a" }), OWN, 100).target, "http://other/a");
});
