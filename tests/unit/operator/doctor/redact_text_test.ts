import assert from "node:assert/strict";
import { redactAny } from "../../../../src/operator/doctor/redact_text.ts";

const HEADER = "2026-01-06T07:08:09.123 [INFO]    ";

Deno.test("redactAny() hides secrets of a document value by value and keeps the rest", () => {
  const text = JSON.stringify({
    url: "/x?sig=c2VjcmV0&api=1",
    after: "stays",
    password: "hunter2",
    list: ["token=abcdef", 7, null, { deep: true }],
  });
  const redacted = JSON.parse(redactAny(text));
  assert.equal(redacted.after, "stays");
  assert.match(redacted.url, /^\/x\?\[REDACTED\]/);
  assert.equal(redacted.password, "[REDACTED]");
  assert.equal(redacted.list[0], "[REDACTED]");
  assert.deepEqual(redacted.list.slice(1), [7, null, { deep: true }]);
});

Deno.test("redactAny() hides whatever a secret's name holds, but no yes or no", () => {
  const document = { apiKey: 12345678, secret: { value: "hunter2" }, token: ["hunter2"] };
  const plain = { password: false, keyLatchStatus: { status: "RUNNING" }, sig: null };
  assert.deepEqual(JSON.parse(redactAny(JSON.stringify({ ...document, ...plain }))), {
    apiKey: "[REDACTED]",
    secret: "[REDACTED]",
    token: "[REDACTED]",
    ...plain,
  });
});

Deno.test("redactAny() hides what is nested too deep to be looked at", () => {
  const deep = `${'{"a":'.repeat(60)}"token=abc"${"}".repeat(60)}`;
  assert.match(redactAny(deep), /\[REDACTED\]/);
  assert.doesNotMatch(redactAny(deep), /abc/);
});

Deno.test("redactAny() keeps the members behind a secret in a record of a log", () => {
  const line = `${HEADER}{"url":"/x?sig=c2VjcmV0","user":"root"}`;
  assert.equal(
    redactAny(`plain\n${line}\n`),
    `plain\n${HEADER}{"url":"/x?[REDACTED]","user":"root"}\n`,
  );
});

Deno.test("redactAny() hides secrets of plain lines, broken JSON included", () => {
  const text = `a pwd=hunter2\n${HEADER}{"url":"/x?sig=c2VjcmV0", cut`;
  assert.doesNotMatch(redactAny(text), /hunter2|c2VjcmV0/);
});

Deno.test("redactAny() hides a private key of several lines, and goes on behind it", () => {
  const text = [
    "before",
    "-----BEGIN RSA PRIVATE KEY-----",
    "MIIEpAIBAAKCAQEA1234",
    "abcdEFGH",
    "-----END RSA PRIVATE KEY-----",
    "after",
  ].join("\n");
  const redacted = redactAny(text);
  assert.doesNotMatch(redacted, /MIIE|abcdEFGH/);
  assert.match(redacted, /^before\n[^]*\nafter$/);
});

Deno.test("redactAny() cuts a line that goes on and on", () => {
  const redacted = redactAny(`${"x".repeat(100_000)}\nnext`);
  assert.ok(redacted.length < 20_000);
  assert.match(redacted, /\[CUT\]\nnext$/);
});
