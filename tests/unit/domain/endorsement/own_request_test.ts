import assert from "node:assert/strict";
import { formatHostDate, ownRequest } from "../../../../src/domain/endorsement/mod.ts";
import { headerValue } from "../../../../src/domain/wire/mod.ts";
import { SAMPLE_GUID, sampleKey } from "../sample_values.ts";

const DATE = formatHostDate(1_767_683_289_000);
const STATUS = {
  method: "GET",
  target: "/secure-channel/status",
  host: "168.63.129.16",
  extraHeaders: [["metadata", "True"]],
  body: null,
  key: null,
  date: DATE,
} as const;

Deno.test("ownRequest() builds the status poll in the documented order", () => {
  assert.deepEqual(ownRequest(STATUS), {
    method: "GET",
    target: "/secure-channel/status",
    headers: [
      ["x-ms-azure-host-date", "Tue, 06 Jan 2026 07:08:09 GMT"],
      ["host", "168.63.129.16"],
      ["x-ms-azure-host-claims", '{ "isRoot": "true"}'],
      ["content-length", "0"],
      ["metadata", "True"],
    ],
    body: null,
  });
});

const SIGNATURES = [
  ["V1", "POST", `/secure-channel/key/${SAMPLE_GUID}/key-attestation`, "168.63.129.16", [
    "metadata",
    "True",
  ], "c5a51c237078f8d8a45f9487882a763480d9335151513b0529b65af3a7538962"],
  [
    "V2",
    "GET",
    "/machine?comp=goalstate",
    "168.63.129.16",
    ["x-ms-version", "2012-11-30"],
    "2ca5e483fa0496c832cb85cdd58894691cb6fde26c6d03f0c227d1b6a8bdcdec",
  ],
  ["V3", "GET", "/metadata/instance?api-version=2018-02-01", "169.254.169.254", [
    "metadata",
    "true",
  ], "1340c2b8c9e840019708011fb49d096613cbcae9c3b909ce1fd30798cc1a4eac"],
] as const;

for (const [id, method, target, host, extra, signature] of SIGNATURES) {
  Deno.test(`ownRequest() signs the worked example ${id}`, () => {
    const request = ownRequest({
      method,
      target,
      host,
      extraHeaders: [extra],
      body: null,
      key: sampleKey(),
      date: DATE,
    });
    assert.deepEqual(request.headers.at(-1), [
      "x-ms-azure-host-authorization",
      `Azure-HMAC-SHA256 ${SAMPLE_GUID} ${signature}`,
    ]);
    assert.ok(Object.isFrozen(request.headers));
  });
}

Deno.test("ownRequest() announces the length of its body in bytes", () => {
  const body = new TextEncoder().encode('{"authorizationScheme": "Azure-HMAC-SHA256"}');
  const request = ownRequest({ ...STATUS, method: "POST", target: "/secure-channel/key", body });
  assert.equal(headerValue(request.headers, "content-length"), "44");
  assert.equal(request.body, body);
});

Deno.test("ownRequest() refuses what could forge a line", () => {
  const key = sampleKey();
  assert.throws(() => ownRequest({ ...STATUS, key, extraHeaders: [["metadata", "a\nb"]] }), {
    code: "SIGNING_HEADER_SYNTAX",
  });
  assert.throws(() => ownRequest({ ...STATUS, key, target: "/é" }), { code: "SIGNING_NOT_ASCII" });
});
