import assert from "node:assert/strict";
import { responseStatus } from "../../../../src/agent/audit/response_status.ts";

Deno.test("responseStatus() is the code with its standard phrase", () => {
  assert.equal(responseStatus(200), "200 OK");
  assert.equal(responseStatus(403), "403 Forbidden");
  assert.equal(responseStatus(405), "405 Method Not Allowed");
  assert.equal(responseStatus(413), "413 Payload Too Large");
  assert.equal(responseStatus(421), "421 Misdirected Request");
  assert.equal(responseStatus(431), "431 Request Header Fields Too Large");
  assert.equal(responseStatus(502), "502 Bad Gateway");
});

Deno.test("responseStatus() has words for codes without a phrase and for no answer at all", () => {
  assert.equal(responseStatus(299), "299 <unknown status code>");
  assert.equal(responseStatus(0), "0 No Response");
});
