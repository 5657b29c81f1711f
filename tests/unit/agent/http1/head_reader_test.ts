import assert from "node:assert/strict";
import {
  findHeadEnd,
  HEAD_LIMITS,
  type HeadLimits,
  parseRequestHead,
  parseResponseHead,
} from "../../../../src/agent/http1/mod.ts";

const bytesOf = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

function response(text: string, limits: HeadLimits = HEAD_LIMITS) {
  const bytes = bytesOf("??" + text); // not at offset 0
  return parseResponseHead(bytes, 2, bytes.length, limits);
}

function request(text: string, limits: HeadLimits = HEAD_LIMITS) {
  const bytes = bytesOf("??" + text);
  return parseRequestHead(bytes, 2, bytes.length, limits);
}

Deno.test("findHeadEnd() finds the index behind the blank line", () => {
  const bytes = bytesOf("HTTP/1.1 200 OK\r\na: b\r\n\r\nbody\r\n\r\n");
  assert.equal(findHeadEnd(bytes, 0, bytes.length), 25);
  assert.equal(findHeadEnd(bytes, 20, bytes.length), 25);
});

Deno.test("findHeadEnd() returns -1 for an unfinished head and does not read behind `to`", () => {
  const bytes = bytesOf("HTTP/1.1 200 OK\r\na: b\r\n\r\n");
  for (let to = 0; to < bytes.length; to++) assert.equal(findHeadEnd(bytes, 0, to), -1, `to ${to}`);
});

Deno.test("findHeadEnd() does not take bare line feeds for a blank line", () => {
  const bytes = bytesOf("HTTP/1.1 200 OK\n\n\r\n\n\r\n");
  assert.equal(findHeadEnd(bytes, 0, bytes.length), -1);
});

Deno.test("parseResponseHead() reads status, reason and fields in order, names lower-case, values trimmed", () => {
  const head = response(
    "HTTP/1.1 299 Some Thing\r\nX-A: 1\r\nx-b:\t two words \t\r\nX-a:3\r\nempty:\r\n\r\n",
  );
  assert.ok(head.ok);
  assert.deepEqual(head.value, {
    version: "1.1",
    status: 299,
    reason: "Some Thing",
    headers: [["x-a", "1"], ["x-b", "two words"], ["x-a", "3"], ["empty", ""]],
  });
});

Deno.test("parseResponseHead() keeps bytes above 0x7F one character each", () => {
  const head = response("HTTP/1.0 200 \xe9\r\na: \xff\xfe\r\n\r\n");
  assert.ok(head.ok);
  assert.equal(head.value.version, "1.0");
  assert.equal(head.value.reason, "\xe9");
  assert.deepEqual(head.value.headers, [["a", "\xff\xfe"]]);
});

Deno.test("parseResponseHead() accepts an empty reason with and without the blank before it", () => {
  for (const line of ["HTTP/1.1 200 ", "HTTP/1.1 200"]) {
    const head = response(`${line}\r\n\r\n`);
    assert.ok(head.ok, line);
    assert.equal(head.value.reason, "");
  }
});

for (
  const [fault, text] of [
    ["VERSION", "HTTP/2.0 200 OK\r\n\r\n"],
    ["VERSION", "HTTP/0.9 200 OK\r\n\r\n"],
    ["START_LINE", "ICY 200 OK\r\n\r\n"],
    ["START_LINE", "\r\nHTTP/1.1 200 OK\r\n\r\n"],
    ["START_LINE", "HTTP/1.1  200 OK\r\n\r\n"],
    ["START_LINE", "HTTP/1.1 2000 OK\r\n\r\n"],
    ["START_LINE", "HTTP/1.1 20 OK\r\n\r\n"],
    ["START_LINE", "HTTP/1.1 099 OK\r\n\r\n"],
    ["START_LINE", "HTTP/1.1 +20 OK\r\n\r\n"],
    ["START_LINE", "HTTP/1.1-200 OK\r\n\r\n"],
    ["START_LINE", "HTTP/1.1 200 O\0K\r\n\r\n"],
    ["START_LINE", "HTTP/1.1 20\r\n\r\n"],
    ["FIELD", "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n"],
    ["FIELD", "HTTP/1.1 200 OK\r\na : b\r\n\r\n"],
    ["FIELD", "HTTP/1.1 200 OK\r\n: b\r\n\r\n"],
    ["FIELD", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"],
    ["FIELD", "HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n"],
    ["FIELD", "HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n"],
    ["FIELD", "HTTP/1.1 200 OK\r\na: \0\r\n\r\n"],
    ["FIELD", "HTTP/1.1 200 OK\r\na\xe9: b\r\n\r\n"],
  ] as const
) {
  Deno.test(`parseResponseHead() refuses ${JSON.stringify(text)} as ${fault}`, () => {
    const head = response(text);
    assert.ok(!head.ok);
    assert.equal(head.error, fault);
  });
}

Deno.test("parseResponseHead() counts fields and bytes against the limits", () => {
  const fields = (count: number) => `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(count)}\r\n`;
  assert.ok(response(fields(100)).ok);
  const tooMany = response(fields(101));
  assert.ok(!tooMany.ok && tooMany.error === "TOO_MANY_FIELDS");
  const tooLarge = response(fields(10), { ...HEAD_LIMITS, headBytes: 50 });
  assert.ok(!tooLarge.ok && tooLarge.error === "HEAD_TOO_LARGE");
});

Deno.test("parseRequestHead() reads method, raw target, version and fields", () => {
  const head = request("POST http://h/%2e?a#b HTTP/1.0\r\nHost: h\r\n\r\n");
  assert.ok(head.ok);
  assert.deepEqual(head.value, {
    method: "POST",
    target: "http://h/%2e?a#b",
    version: "1.0",
    headers: [["host", "h"]],
  });
});

for (
  const [fault, text] of [
    ["START_LINE", "GET /\r\n\r\n"],
    ["START_LINE", "GET  / HTTP/1.1\r\n\r\n"],
    ["START_LINE", " GET / HTTP/1.1\r\n\r\n"],
    ["START_LINE", "G(T / HTTP/1.1\r\n\r\n"],
    ["START_LINE", "GET /\xe9 HTTP/1.1\r\n\r\n"],
    ["START_LINE", "GET /\x01 HTTP/1.1\r\n\r\n"],
    ["START_LINE", "GET / a HTTP/1.1\r\n\r\n"],
    ["START_LINE", "GET / http/1.1\r\n\r\n"],
    ["VERSION", "GET / HTTP/2.0\r\n\r\n"],
    ["VERSION", "GET / HTTP/1.1 \r\n\r\n"],
    ["FIELD", "GET / HTTP/1.1\r\na\tb: c\r\n\r\n"],
  ] as const
) {
  Deno.test(`parseRequestHead() refuses ${JSON.stringify(text)} as ${fault}`, () => {
    const head = request(text);
    assert.ok(!head.ok);
    assert.equal(head.error, fault);
  });
}

Deno.test("parseRequestHead() bounds the target and the head", () => {
  const longTarget = request(`GET /${"a".repeat(65_534)} HTTP/1.1\r\n\r\n`);
  assert.ok(!longTarget.ok && longTarget.error === "TARGET_TOO_LONG");
  assert.ok(request(`GET /${"a".repeat(65_533)} HTTP/1.1\r\n\r\n`).ok);
  const longHead = request("GET / HTTP/1.1\r\n\r\n", { ...HEAD_LIMITS, headBytes: 10 });
  assert.ok(!longHead.ok && longHead.error === "HEAD_TOO_LARGE");
});
