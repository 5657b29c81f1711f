import assert from "node:assert/strict";
import { splitTarget } from "../../../../src/domain/canonical/mod.ts";
import {
  clientRequest,
  type HeaderField,
  headerValue,
  isClientRequest,
  isMethod,
  METHODS,
} from "../../../../src/domain/wire/mod.ts";

function headersAfter(headers: HeaderField[]): readonly HeaderField[] {
  const target = splitTarget("/a?b");
  return clientRequest({ method: "GET", target, headers, framing: { kind: "none" } }).headers;
}

Deno.test("clientRequest() drops every x-ms-azure-host-* field, whatever its case or place", () => {
  assert.deepEqual(
    headersAfter([
      ["x-ms-azure-host-authorization", "forged"],
      ["host", "h"],
      ["X-Ms-Azure-Host-Claims", '{ "isRoot": "true"}'],
      ["x-ms-azure-host-date", "d"],
      ["x-ms-azure-host-anything-new", "x"],
      ["x_ms_azure_host_claims", '{ "isRoot": "true"}'],
      ["X-MS-AZURE-HOST_Date", "d"],
      ["x-ms-azure-hosts", "kept"],
      ["x-ms-azure-time-tick", "1"],
    ]),
    [["host", "h"], ["x-ms-azure-hosts", "kept"], ["x-ms-azure-time-tick", "1"]],
  );
});

Deno.test("clientRequest() lower-cases names and trims values, and keeps order and repetitions", () => {
  assert.deepEqual(
    headersAfter([["X-Dup", " \t first"], ["a", "  "], ["x-dup", "second\t"], ["B", "c d"]]),
    [["x-dup", "first"], ["a", ""], ["x-dup", "second"], ["b", "c d"]],
  );
});

Deno.test("clientRequest() leaves white space that is none of HTTP for the checks to find", () => {
  assert.deepEqual(headersAfter([["a", "\u00a0x\n"]]), [["a", "\u00a0x\n"]]);
});

Deno.test("clientRequest() carries the split target and freezes the head", () => {
  const target = splitTarget("/a?b#c");
  const request = clientRequest({
    method: "PUT",
    target,
    headers: [],
    framing: { kind: "chunked" },
  });
  assert.equal(request.target, "/a?b");
  assert.equal(request.path, "/a");
  assert.equal(request.query, "b");
  assert.deepEqual(request.framing, { kind: "chunked" });
  assert.ok(Object.isFrozen(request.headers));
});

Deno.test("isClientRequest() knows a copy from the real thing", () => {
  const target = splitTarget("/");
  const request = clientRequest({ method: "GET", target, headers: [], framing: { kind: "none" } });
  assert.equal(isClientRequest(request), true);
  assert.equal(isClientRequest({ ...request }), false);
});

Deno.test("headerValue() returns the last of repeated fields and null for none", () => {
  const headers: HeaderField[] = [["a", "1"], ["b", "2"], ["a", "3"]];
  assert.equal(headerValue(headers, "a"), "3");
  assert.equal(headerValue(headers, "b"), "2");
  assert.equal(headerValue(headers, "c"), null);
});

Deno.test("isMethod() knows the seven methods and no other spelling", () => {
  assert.deepEqual(METHODS.filter(isMethod), METHODS);
  assert.equal(METHODS.join(", "), "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
  for (const other of ["get", "CONNECT", "TRACE", "", "GET "]) assert.equal(isMethod(other), false);
});
