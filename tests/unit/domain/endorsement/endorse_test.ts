import assert from "node:assert/strict";
import {
  endorse,
  exempt,
  formatHostDate,
  type Forwardable,
  isForwardable,
  stringToSign,
} from "../../../../src/domain/endorsement/mod.ts";
import { splitTarget } from "../../../../src/domain/canonical/mod.ts";
import { ENDPOINTS, type HeaderField, headerValue } from "../../../../src/domain/wire/mod.ts";
import {
  exemptPermit,
  requiredPermit,
  sampleKey,
  type SampleRequest,
  sampleRequest,
} from "../sample_values.ts";

const DATE = formatHostDate(1_767_683_289_000);
const NONE = new Uint8Array();
const OK = new TextEncoder().encode("ok");
const CLAIMS: HeaderField = ["x-ms-azure-host-claims", '{ "isRoot": "true"}'];
const DATED: HeaderField = ["x-ms-azure-host-date", "Tue, 06 Jan 2026 07:08:09 GMT"];

function endorsed(sample: SampleRequest, body: Uint8Array = NONE): Forwardable {
  return endorse(requiredPermit(sampleRequest(sample)), body, sampleKey(), DATE);
}

/** What the host would compute over what is sent. */
function signatureOver(sent: Forwardable): string {
  const { method, headers } = sent;
  const { path, query } = splitTarget(sent.target);
  const body = sent.body instanceof Uint8Array ? sent.body : null;
  return sampleKey().secret.mac(stringToSign({ method, path, query, headers, body }));
}

Deno.test("endorse() sends the worked example V11, agent headers behind the caller's", () => {
  const sent = endorsed({
    method: "POST",
    target: "/p",
    headers: [
      ["Host", "168.63.129.16"],
      ["X-Dup", "first"],
      ["x-dup", "  second\t"],
      ["X-Ms-Azure-Host-Authorization", "forged"],
      ["Connection", "keep-alive"],
      ["Expect", "100-continue"],
      ["X-Empty", ""],
      ["Content-Length", "2"],
      ["x-ms-azure-host-claims", '{ "isRoot": "false"}'],
    ],
    framing: { kind: "length", bytes: 2 },
  }, OK);
  assert.deepEqual(sent.headers, [
    ["host", "168.63.129.16"],
    ["x-dup", "first"],
    ["x-dup", "second"],
    ["connection", "keep-alive"],
    ["expect", "100-continue"],
    ["x-empty", ""],
    ["content-length", "2"],
    CLAIMS,
    DATED,
    [
      "x-ms-azure-host-authorization",
      "Azure-HMAC-SHA256 5b1c7e2a-9d40-4c58-8f0e-3a6d2f917c44 " +
      "85f8e2d7b49b992311846e0ff1260e27d4143a1551439ca31053d16e015d036c",
    ],
  ]);
  assert.equal(sent.kind, "endorsed");
  assert.equal(sent.body, OK);
  assert.equal(sent.destination, ENDPOINTS.wireserver);
  assert.ok(Object.isFrozen(sent.headers));
});

Deno.test("endorse() tells the host whether the caller is root", () => {
  const permitted = requiredPermit(sampleRequest(), "imds", 1000);
  const sent = endorse(permitted, NONE, sampleKey(), DATE);
  assert.equal(headerValue(sent.headers, "x-ms-azure-host-claims"), '{ "isRoot": "false"}');
});

Deno.test("endorse() signs what is sent, for every framing", () => {
  const cases: [SampleRequest, Uint8Array][] = [
    [{ framing: { kind: "none" } }, NONE],
    [{ framing: { kind: "length", bytes: 0 }, headers: [["content-length", "0"]] }, NONE],
    [{ framing: { kind: "length", bytes: 2 }, headers: [["content-length", "2"]] }, OK],
    [{ framing: { kind: "chunked" }, headers: [["transfer-encoding", "chunked"]] }, OK],
    [{ framing: { kind: "chunked" }, headers: [["transfer-encoding", "chunked"]] }, NONE],
    [{ target: "http://h/x?B=1&a=2", headers: [["b", "1"], ["a", "2"], ["b", "3"]] }, NONE],
  ];
  for (const [sample, body] of cases) {
    const sent = endorsed(sample, body);
    const value = headerValue(sent.headers, "x-ms-azure-host-authorization");
    assert.ok(value?.endsWith(` ${signatureOver(sent)}`), JSON.stringify(sample));
  }
});

function framingFields(sent: Forwardable): readonly HeaderField[] {
  return sent.headers.filter(([name]) => name === "content-length" || name === "transfer-encoding");
}

Deno.test("endorse() drops the transfer coding of an empty chunked body", () => {
  const sent = endorsed({
    framing: { kind: "chunked" },
    headers: [["transfer-encoding", "chunked"]],
  });
  assert.deepEqual(framingFields(sent), []);
  assert.deepEqual(sent.framing, { kind: "none" });
  assert.equal(sent.body, null);
});

Deno.test("endorse() never sends both a length and a transfer coding", () => {
  const both: HeaderField[] = [["content-length", "9"], ["transfer-encoding", "chunked"]];
  const chunked = endorsed({ framing: { kind: "chunked" }, headers: both }, OK);
  assert.deepEqual(framingFields(chunked), [["transfer-encoding", "chunked"]]);
  assert.deepEqual(chunked.framing, { kind: "chunked" });
  const length = endorsed({ framing: { kind: "length", bytes: 2 }, headers: both }, OK);
  assert.deepEqual(framingFields(length), [["content-length", "2"]]);
});

Deno.test("endorse() writes one plain length, where the caller wrote its first", () => {
  const headers: HeaderField[] = [["a", "1"], ["content-length", "002"], ["b", "2"], [
    "content-length",
    "2",
  ]];
  const sent = endorsed({ framing: { kind: "length", bytes: 2 }, headers }, OK);
  assert.deepEqual(sent.headers.slice(0, 3), [["a", "1"], ["content-length", "2"], ["b", "2"]]);
  assert.equal(framingFields(sent).length, 1);
});

Deno.test("endorse() adds the framing field that the head lacks", () => {
  assert.deepEqual(framingFields(endorsed({ framing: { kind: "length", bytes: 2 } }, OK)), [[
    "content-length",
    "2",
  ]]);
  assert.deepEqual(framingFields(endorsed({ framing: { kind: "chunked" } }, OK)), [[
    "transfer-encoding",
    "chunked",
  ]]);
});

Deno.test("endorse() removes framing fields where there is no body", () => {
  const headers: HeaderField[] = [["content-length", "5"], ["transfer-encoding", "chunked"]];
  assert.deepEqual(framingFields(endorsed({ headers })), []);
});

Deno.test("endorse() keeps a length of zero", () => {
  const sent = endorsed({
    framing: { kind: "length", bytes: 0 },
    headers: [["content-length", "0"]],
  });
  assert.deepEqual(framingFields(sent), [["content-length", "0"]]);
  assert.deepEqual(sent.framing, { kind: "length", bytes: 0 });
  assert.equal(sent.body, null);
});

Deno.test("endorse() refuses a body of another length than announced", () => {
  const expected = { name: "SigningError", code: "SIGNING_BODY_LENGTH" };
  assert.throws(() => endorsed({ framing: { kind: "length", bytes: 3 } }, OK), expected);
  assert.throws(() => endorsed({ framing: { kind: "length", bytes: 1 } }, OK), expected);
  assert.throws(() => endorsed({ framing: { kind: "none" } }, OK), expected);
});

Deno.test("endorse() refuses to sign bytes that the intake should have refused", () => {
  assert.throws(() => endorsed({ headers: [["a", "é"]] }), { code: "SIGNING_HEADER_SYNTAX" });
  assert.throws(() => endorsed({ target: "/é" }), { code: "SIGNING_NOT_ASCII" });
});

Deno.test("endorse() without a key sends the same request unsigned and says why", () => {
  const permitted = requiredPermit(sampleRequest({
    headers: [["host", "h"], ["x-ms-azure-host-authorization", "forged"]],
  }));
  const sent = endorse(permitted, NONE, null, DATE);
  assert.equal(sent.kind, "unendorsed");
  assert.equal(sent.kind === "unendorsed" && sent.why, "no-key-latched");
  assert.deepEqual(sent.headers, [["host", "h"], CLAIMS, DATED]);
  assert.ok(Object.isFrozen(sent.headers));
});

Deno.test("endorse() keeps the target as received, absolute form and lone question mark included", () => {
  assert.equal(endorsed({ target: "http://h/x?" }).target, "http://h/x?");
  assert.equal(endorsed({ target: "/x#f" }).target, "/x");
});

const UPLOAD = {
  method: "PUT",
  target: "/vmAgentLog",
  headers: [["host", "h"], ["content-length", "2"], ["x-ms-azure-host-authorization", "forged"]],
  framing: { kind: "length", bytes: 2 },
} as const;

Deno.test("exempt() streams the body and signs nothing, not even with the caller's own words", () => {
  const stream = new ReadableStream<Uint8Array>();
  const sent = exempt(exemptPermit(sampleRequest(UPLOAD)), stream, DATE);
  assert.equal(sent.why, "signature-exempt");
  assert.equal(sent.body, stream);
  assert.deepEqual(sent.framing, { kind: "length", bytes: 2 });
  assert.deepEqual(sent.headers, [["host", "h"], ["content-length", "2"], CLAIMS, DATED]);
  assert.ok(Object.isFrozen(sent.headers));
});

Deno.test("exempt() without a body announces none", () => {
  const sent = exempt(exemptPermit(sampleRequest(UPLOAD)), null, DATE);
  assert.equal(sent.body, null);
  assert.deepEqual(sent.framing, { kind: "none" });
  assert.deepEqual(framingFields(sent), []);
});

Deno.test("exempt() ignores a body where the framing says that there is none", () => {
  const request = sampleRequest({ ...UPLOAD, framing: { kind: "none" } });
  assert.equal(exempt(exemptPermit(request), new ReadableStream(), DATE).body, null);
});

Deno.test("isForwardable() knows the real thing from copies and literals", () => {
  const sent = endorsed({});
  assert.equal(isForwardable(sent), true);
  assert.equal(isForwardable(exempt(exemptPermit(sampleRequest(UPLOAD)), null, DATE)), true);
  assert.equal(isForwardable({ ...sent }), false);
  assert.equal(isForwardable(Object.create(sent)), false);
  for (const other of [null, undefined, 1, "x"]) assert.equal(isForwardable(other), false);
});
