import assert from "node:assert/strict";
import {
  escapeUnsafe,
  formatFileStamp,
  formatHeader,
  formatMessage,
  formatTimestamp,
  HEADER_WIDTH,
  stringifySafe,
  truncateText,
} from "../../../src/runtime/log_line.ts";
import type { LogLevel } from "../../../src/runtime/logger.ts";

const AT = Date.UTC(2026, 6, 22, 21, 27, 45, 120);
const plain = (text: string) => text;

Deno.test("formatTimestamp() is UTC with three digits of a second and no zone", () => {
  assert.equal(formatTimestamp(AT), "2026-07-22T21:27:45.120");
});

Deno.test("formatFileStamp() has dots for colons and the Unix nanoseconds", () => {
  assert.equal(formatFileStamp(AT), "2026-07-22T21.27.45.120-1784755665120000000");
  assert.equal(formatFileStamp(AT, 7n), "2026-07-22T21.27.45.120-1784755665120000007");
});

Deno.test("formatHeader() is 34 characters for every level", () => {
  const levels: LogLevel[] = ["error", "warn", "info", "debug", "trace"];
  for (const level of levels) {
    const header = formatHeader(AT, level);
    assert.equal(header.length, HEADER_WIDTH);
    assert.equal(header.trimEnd(), `2026-07-22T21:27:45.120 [${level.toUpperCase()}]`);
  }
});

Deno.test("truncateText() cuts to the limit, marks the cut, and keeps what fits", () => {
  assert.equal(truncateText("abcdef", 6), "abcdef");
  assert.equal(truncateText("abcdefg", 6), "abcdef...");
});

Deno.test("truncateText() never cuts a character in two", () => {
  const text = "ab😀cd";
  assert.equal(truncateText(text, 3), "ab...");
  assert.equal(truncateText(text, 4), "ab😀...");
  for (let max = 1; max < text.length; max++) assert.ok(truncateText(text, max).isWellFormed());
});

Deno.test("escapeUnsafe() replaces everything that could forge a line or turn its text around", () => {
  assert.equal(escapeUnsafe("a\r\nb"), "a\\u000d\\u000ab");
  assert.equal(escapeUnsafe("\x1b[31m\x7f\x85"), "\\u001b[31m\\u007f\\u0085");
  assert.equal(
    escapeUnsafe("\u2028\u2029\u202e\u2066\ufeff"),
    "\\u2028\\u2029\\u202e\\u2066\\ufeff",
  );
  assert.equal(escapeUnsafe("\u{e0041}"), "\\udb40\\udc41");
});

Deno.test("escapeUnsafe() leaves letters of all languages alone", () => {
  assert.equal(escapeUnsafe("Größe 漢字 😀"), "Größe 漢字 😀");
});

Deno.test("stringifySafe() stays JSON of the same value", () => {
  const value = { a: "x\n\u202ey\x9f", b: ["\u{e0041}", 1, null] };
  const text = stringifySafe(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.ok(/^[\x20-\x7e]*$/.test(text), text);
});

Deno.test("stringifySafe() writes half a character as an escape", () => {
  assert.equal(stringifySafe("\ud800"), '"\\ud800"');
});

Deno.test("formatMessage() puts the fields behind the text, quoted where they need it", () => {
  const fields = { epoch: 4, ok: true, none: null, big: 12n, path: "/a/b.c", words: "two words" };
  assert.equal(
    formatMessage("policy installed", fields, plain),
    'policy installed epoch=4 ok=true none=null big=12 path=/a/b.c words="two words"',
  );
});

Deno.test("formatMessage() quotes the empty text and what looks like a field", () => {
  assert.equal(formatMessage("m", { a: "", b: "x=1" }, plain), 'm a="" b="x=1"');
});

Deno.test("formatMessage() keeps a forged line on one line", () => {
  const message = formatMessage("m", { url: "/\n2026-01-01T00:00:00.000 [INFO] forged" }, plain);
  assert.ok(!message.includes("\n"));
});

Deno.test("formatMessage() knows a secret that the cut goes through", () => {
  const redact = (text: string) => text.replace(/<[^>]+>/, "[REDACTED]");
  const value = `${"x".repeat(2000)}<${"s".repeat(100)}>`;
  assert.equal(formatMessage("m", { value }, redact), `m value="${"x".repeat(2000)}[REDACTED]"`);
  assert.ok(formatMessage("m", { value: "y".repeat(9_000) }, redact).length < 2_100);
});

Deno.test("formatMessage() shows redact the raw text and nothing else", () => {
  const seen: string[] = [];
  const redact = (text: string) => {
    seen.push(text);
    return "***";
  };
  assert.equal(formatMessage("m", { a: "sec\tret", n: 1 }, redact), "m a=*** n=1");
  assert.deepEqual(seen, ["sec\tret"]);
});

Deno.test("formatMessage() bounds the field and the whole message", () => {
  assert.ok(formatMessage("m", { a: "x".repeat(100_000) }, plain).length < 2100);
  const fields = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [`field${i}`, "y".repeat(1000)]),
  );
  assert.equal(formatMessage("m", fields, plain).length, 4096 + 3);
});
