import assert from "node:assert/strict";
import {
  encodeRequestHead,
  encodeRequestInto,
  encodeRequestMessage,
  encodeResponseHead,
} from "../../../../src/agent/http1/mod.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("encodeRequestHead() writes the given fields in order and nothing else", () => {
  const head = encodeRequestHead("GET", "/a?b=c", [["host", "h"], ["x", ""], ["x", "2"]]);
  assert.equal(text(head), "GET /a?b=c HTTP/1.1\r\nhost: h\r\nx: \r\nx: 2\r\n\r\n");
});

Deno.test("encodeRequestHead() writes version 1.0 when asked to", () => {
  assert.equal(text(encodeRequestHead("GET", "/", [], "1.0")), "GET / HTTP/1.0\r\n\r\n");
});

Deno.test("encodeRequestMessage() puts head and body into one buffer", () => {
  const bytes = encodeRequestMessage(
    "POST",
    "/",
    [["content-length", "3"]],
    new Uint8Array([0, 255, 13]),
  );
  const head = "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\n";
  assert.equal(text(bytes.subarray(0, head.length)), head);
  assert.deepEqual([...bytes.subarray(head.length)], [0, 255, 13]);
});

Deno.test("encodeResponseHead() writes a status line", () => {
  assert.equal(
    text(encodeResponseHead(404, "Not Found", [["a", "b"]])),
    "HTTP/1.1 404 Not Found\r\na: b\r\n\r\n",
  );
});

for (
  const [what, method, target, name, value] of [
    ["a line break in a value", "GET", "/", "a", "b\r\nx: y"],
    ["a lone LF in a value", "GET", "/", "a", "b\nx: y"],
    ["a lone CR in a value", "GET", "/", "a", "b\rx"],
    ["a line break in a name", "GET", "/", "a\r\nb", "c"],
    ["a line break in the target", "GET", "/ HTTP/1.1\r\nx: y\r\n\r\n", "a", "b"],
    ["a line break in the method", "GET / HTTP/1.1\r\n", "/", "a", "b"],
    ["a NUL", "GET", "/", "a", "b\0"],
    ["a DEL", "GET", "/", "a", "b\x7f"],
    ["a character above 0x7F", "GET", "/", "a", "é"],
  ] as const
) {
  Deno.test(`encodeRequestHead() throws on ${what}`, () => {
    assert.throws(() => encodeRequestHead(method, target, [[name, value]]), TypeError);
  });
}

Deno.test("encodeRequestHead() lets a tab in a value pass", () => {
  assert.equal(
    text(encodeRequestHead("GET", "/", [["a", "b\tc"]])),
    "GET / HTTP/1.1\r\na: b\tc\r\n\r\n",
  );
});

Deno.test("encodeRequestInto() uses the given array when the message fits, and one of its own when not", () => {
  const into = new Uint8Array(40);
  const small = encodeRequestInto(into, "GET", "/", [["a", "b"]], new Uint8Array([120]));
  assert.equal(small.buffer, into.buffer);
  assert.equal(text(small), "GET / HTTP/1.1\r\na: b\r\n\r\nx");
  const large = encodeRequestInto(into, "GET", "/", [["a", "b".repeat(40)]], null);
  assert.notEqual(large.buffer, into.buffer);
  assert.equal(text(large), `GET / HTTP/1.1\r\na: ${"b".repeat(40)}\r\n\r\n`);
  assert.throws(() => encodeRequestInto(into, "GET", "/", [["a", "b\r\nc"]], null), TypeError);
});
