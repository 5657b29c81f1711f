import assert from "node:assert/strict";
import { requestOfText } from "../../../../src/operator/policy_tools/request_text.ts";

Deno.test("requestOfText() reads method, URL and target", () => {
  for (
    const [text, endpoint, method, target, named] of [
      ["GET http://169.254.169.254/a?b=c", null, "GET", "/a?b=c", "imds"],
      ["http://169.254.169.254", null, "GET", "/", "imds"],
      [
        "POST http://168.63.129.16:80/machine/?comp=x",
        null,
        "POST",
        "/machine/?comp=x",
        "wireserver",
      ],
      ["PUT http://168.63.129.16:32526/vmAgentLog", "hostga", "PUT", "/vmAgentLog", "hostga"],
      ["GET http://0xa9fea9fe/a", null, "GET", "/a", "imds"],
      ["PATCH /x//y", "wireserver", "PATCH", "/x//y", "wireserver"],
      ["/a%20b#c", "imds", "GET", "/a%20b#c", "imds"],
    ] as const
  ) {
    const request = requestOfText(text, endpoint);
    assert.deepEqual(request, { ok: true, value: { method, target, endpoint: named } }, text);
  }
});

Deno.test("requestOfText() says what is missing and how to write it", () => {
  for (
    const [text, endpoint, error] of [
      ["", null, /is no request; write 'GET http/],
      ["GET /a b", "imds", /is no request/],
      ["GET /a", null, /^`\/a` names no endpoint; write a whole URL or --endpoint wireserver\|/],
      ["GET http://example.com/", null, /^`example\.com` is no endpoint; the addresses are /],
      ["GET http://127.0.0.1:3080/", null, /is no endpoint/],
      ["GET http://a:b/", null, /^`a:b` is no host \(CANON_PORT\)/],
      ["GET http://169.254.169.254/", "hostga", /^the URL names imds and --endpoint hostga/],
    ] as const
  ) {
    const request = requestOfText(text, endpoint);
    assert.match(request.ok ? "" : request.error, error, text);
  }
});
