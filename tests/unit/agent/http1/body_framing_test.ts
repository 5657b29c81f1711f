import assert from "node:assert/strict";
import {
  requestFraming,
  type RequestHead,
  responseFraming,
  type ResponseHead,
} from "../../../../src/agent/http1/mod.ts";
import { parseContentLength } from "../../../../src/agent/http1/body_framing.ts";

type Fields = [string, string][];

const res = (status: number, headers: Fields, version: "1.0" | "1.1" = "1.1"): ResponseHead => ({
  version,
  status,
  reason: "",
  headers,
});
const req = (headers: Fields, version: "1.0" | "1.1" = "1.1"): RequestHead => ({
  method: "POST",
  target: "/",
  version,
  headers,
});

Deno.test("responseFraming() knows the responses that never have a body", () => {
  const declared: Fields = [["content-length", "5"]];
  for (
    const [status, method] of [[200, "HEAD"], [100, "GET"], [101, "GET"], [204, "GET"], [
      304,
      "GET",
    ]] as const
  ) {
    const framing = responseFraming(res(status, declared), method);
    assert.ok(framing.ok && framing.value.kind === "none", `${status} ${method}`);
  }
});

Deno.test("responseFraming() reads length, chunked and until-close", () => {
  assert.deepEqual(responseFraming(res(200, [["content-length", "5"]]), "GET"), {
    ok: true,
    value: { kind: "length", bytes: 5 },
  });
  assert.deepEqual(responseFraming(res(200, [["transfer-encoding", "Chunked"]]), "GET"), {
    ok: true,
    value: { kind: "chunked" },
  });
  assert.deepEqual(responseFraming(res(200, []), "GET"), {
    ok: true,
    value: { kind: "until-close" },
  });
});

Deno.test("requestFraming() takes no declaration for no body", () => {
  assert.deepEqual(requestFraming(req([])), { ok: true, value: { kind: "none" } });
  assert.deepEqual(requestFraming(req([["content-length", "0"]])), {
    ok: true,
    value: { kind: "length", bytes: 0 },
  });
});

for (
  const [what, headers, version] of [
    ["length and chunked", [["content-length", "5"], ["transfer-encoding", "chunked"]], "1.1"],
    ["two different lengths", [["content-length", "5"], ["content-length", "6"]], "1.1"],
    ["a signed length", [["content-length", "+5"]], "1.1"],
    ["an empty length", [["content-length", ""]], "1.1"],
    ["another coding", [["transfer-encoding", "gzip, chunked"]], "1.1"],
    ["two codings", [["transfer-encoding", "chunked"], ["transfer-encoding", "chunked"]], "1.1"],
    ["chunked in HTTP/1.0", [["transfer-encoding", "chunked"]], "1.0"],
  ] as [string, Fields, "1.0" | "1.1"][]
) {
  Deno.test(`requestFraming() and responseFraming() refuse ${what}`, () => {
    assert.deepEqual(requestFraming(req(headers, version)), { ok: false, error: "FRAMING" });
    assert.deepEqual(responseFraming(res(200, headers, version), "GET"), {
      ok: false,
      error: "FRAMING",
    });
  });
}

Deno.test("requestFraming() collapses a repeated equal length", () => {
  const framing = requestFraming(req([["content-length", "5"], ["content-length", "5, 5"]]));
  assert.deepEqual(framing, { ok: true, value: { kind: "length", bytes: 5 } });
});

Deno.test("parseContentLength() accepts digits only, at most 15", () => {
  assert.equal(parseContentLength("0"), 0);
  assert.equal(parseContentLength("007"), 7);
  assert.equal(parseContentLength("999999999999999"), 999_999_999_999_999);
  for (const bad of ["", " ", "1 2", "0x5", "1e3", "-1", "5,", "5,6", "9999999999999999"]) {
    assert.equal(parseContentLength(bad), -1, bad);
  }
});
