import assert from "node:assert/strict";
import type { Http1Fault, RequestHead } from "../../../../src/agent/http1/mod.ts";
import { isRefusal, syntaxRefusal, takeIn } from "../../../../src/agent/proxy/intake.ts";
import type { EndpointName, HeaderField } from "../../../../src/domain/wire/mod.ts";

const HOST: HeaderField = ["host", "h"];

function head(given: Partial<RequestHead>): RequestHead {
  return { method: "GET", target: "/a", version: "1.1", headers: [HOST], ...given };
}

function accepted(given: Partial<RequestHead>, dialled: EndpointName | null = "imds") {
  const outcome = takeIn(head(given), dialled);
  assert.ok(!isRefusal(outcome), JSON.stringify(outcome));
  return outcome;
}

function refused(given: Partial<RequestHead>, dialled: EndpointName | null = "imds") {
  const outcome = takeIn(head(given), dialled);
  assert.ok(isRefusal(outcome));
  return [outcome.status, outcome.reason];
}

Deno.test("takeIn() keeps the raw target and splits it", () => {
  const request = accepted({ target: "/a/./b%2f?x=1&&y#frag" });
  assert.equal(request.target, "/a/./b%2f?x=1&&y");
  assert.equal(request.path, "/a/./b%2f");
  assert.equal(request.query, "x=1&&y");
  assert.equal(accepted({ target: "/a?" }).query, "");
  assert.equal(accepted({}).query, null);
});

Deno.test("takeIn() takes an absolute form of the endpoint dialled for its path", () => {
  const request = accepted({ target: "http://169.254.169.254/a?b=http://x/y" });
  assert.equal(request.target, "/a?b=http://x/y");
  assert.deepEqual(refused({ target: "http://169.254.169.254/a" }, "wireserver"), [
    403,
    "ambiguous-target",
  ]);
  assert.deepEqual(refused({ target: "http://169.254.169.254/a" }, null), [
    403,
    "ambiguous-target",
  ]);
});

Deno.test("takeIn() leaves the Host field alone", () => {
  for (const host of ["a/b", "", "a, b", "u@h"]) {
    assert.deepEqual(accepted({ headers: [["host", host]] }).headers, [["host", host]]);
  }
  assert.deepEqual(accepted({ headers: [] }).headers, []);
  assert.deepEqual(accepted({ headers: [HOST, ["host", "i"]] }).headers, [HOST, ["host", "i"]]);
});

Deno.test("takeIn() refuses forbidden bytes in targets", () => {
  for (const target of ["foo", "h:80", "?a", "", "/a<b", "/a`b", '/a?b"c', "/a?b<c"]) {
    assert.deepEqual(refused({ target }), [400, "bad-request"], target);
  }
});

Deno.test("takeIn() refuses traversal in the path and not in the query", () => {
  for (const target of ["/a/../b", "/a..b", "/%2e./a", "//a", "/a//b"]) {
    assert.deepEqual(refused({ target }), [403, "path-traversal"], target);
  }
  accepted({ target: "/a?b=..//" });
});

Deno.test("takeIn() passes header fields on in their order, repeated ones apart, with their framing", () => {
  const headers: HeaderField[] = [["x-b", "2"], HOST, ["content-length", "5"], ["x-b", "1"]];
  const request = accepted({ method: "POST", headers });
  assert.deepEqual(request.framing, { kind: "length", bytes: 5 });
  assert.deepEqual(request.headers, headers);
  const chunked = accepted({ method: "POST", headers: [["transfer-encoding", "Chunked"]] });
  assert.deepEqual(chunked.framing, { kind: "chunked" });
  assert.deepEqual(accepted({ method: "POST" }).framing, { kind: "none" });
});

Deno.test("takeIn() takes a body with every method", () => {
  for (const method of ["GET", "HEAD", "DELETE", "OPTIONS"]) {
    const headers: HeaderField[] = [HOST, ["content-length", "1"]];
    assert.deepEqual(accepted({ method, headers }).framing, { kind: "length", bytes: 1 });
  }
});

Deno.test("takeIn() takes a repeated equal length for one", () => {
  const list: HeaderField[] = [["content-length", "3, 3"]];
  const twice: HeaderField[] = [["content-length", "3"], ["content-length", "3"]];
  for (const headers of [list, twice]) {
    assert.deepEqual(accepted({ headers }).framing, { kind: "length", bytes: 3 });
  }
});

for (
  const [version, headers] of [
    ["1.1", [["content-length", "3"], ["transfer-encoding", "chunked"]]],
    ["1.1", [["transfer-encoding", "chunked"], ["content-length", "3"]]],
    ["1.1", [["content-length", "3"], ["content-length", "4"]]],
    ["1.1", [["content-length", "3, 4"]]],
    ["1.1", [["content-length", "-3"]]],
    ["1.1", [["content-length", "+3"]]],
    ["1.1", [["content-length", "0x3"]]],
    ["1.1", [["content-length", ""]]],
    ["1.1", [["transfer-encoding", "gzip, chunked"]]],
    ["1.1", [["transfer-encoding", "chunked"], ["transfer-encoding", "chunked"]]],
    ["1.1", [["transfer-encoding", "identity"]]],
    ["1.1", [["transfer-encoding", ""]]],
    ["1.0", [["transfer-encoding", "chunked"]]],
  ] as ["1.0" | "1.1", HeaderField[]][]
) {
  Deno.test(`takeIn() refuses the framing ${JSON.stringify(headers)} in HTTP/${version}`, () => {
    assert.deepEqual(refused({ method: "POST", version, headers: [HOST, ...headers] }), [
      400,
      "bad-request",
    ]);
  });
}

Deno.test("takeIn() refuses by size before it looks at method or target", () => {
  const headers: HeaderField[] = [HOST, ["content-length", "104857601"]];
  assert.deepEqual(refused({ method: "BREW", target: "http://other/..", headers }), [
    413,
    "body-too-large",
  ]);
  assert.deepEqual(refused({ method: "POST", headers: [["content-length", "102401"]] }), [
    413,
    "body-too-large",
  ]);
});

Deno.test("takeIn() lets the larger body of an upload pass, wherever it goes", () => {
  const headers: HeaderField[] = [HOST, ["content-length", "104857600"]];
  accepted({ method: "PUT", target: "/vmAgentLog", headers });
});

Deno.test("takeIn() refuses other methods before it looks at the target", () => {
  for (const method of ["TRACE", "CONNECT", "get", "PROPFIND"]) {
    assert.deepEqual(refused({ method, target: "foo:80" }), [405, "method-not-allowed"]);
  }
});

Deno.test("takeIn() refuses header values above ASCII", () => {
  assert.deepEqual(refused({ headers: [HOST, ["x", "\xe9"]] }), [400, "header-not-ascii"]);
});

Deno.test("takeIn() leaves persistence of the caller's connection behind", () => {
  const names = (connection: string) =>
    accepted({
      headers: [["a", "1"], ["connection", connection], ["keep-alive", "x"], ["b", "2"], [
        "proxy-connection",
        "y",
      ], ["c", "3"]],
    }).headers.map(([name]) => name);
  for (const value of ["close", "Keep-Alive", "close, keep-alive", ""]) {
    assert.deepEqual(names(value), ["a", "b", "c"], value);
  }
  for (const value of ["upgrade", "close, x-foo"]) {
    assert.deepEqual(names(value), ["a", "connection", "b", "c"], value);
  }
});

Deno.test("syntaxRefusal() has a status and a detail for each fault", () => {
  const statusOf = (fault: Http1Fault) => {
    const { status, detail } = syntaxRefusal(fault);
    assert.ok(detail.length > 10);
    return status;
  };
  assert.deepEqual(
    ([
      "HEAD_TOO_LARGE",
      "TOO_MANY_FIELDS",
      "TARGET_TOO_LONG",
      "START_LINE",
      "VERSION",
      "FIELD",
      "TRUNCATED",
    ] as const)
      .map(statusOf),
    [431, 431, 414, 400, 400, 400, 400],
  );
});
