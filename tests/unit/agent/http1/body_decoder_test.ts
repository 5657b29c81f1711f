import assert from "node:assert/strict";
import {
  bodyDecoder,
  encodeChunk,
  lastChunk,
  type ResponseFraming,
} from "../../../../src/agent/http1/mod.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Decodes `wire` in pieces of `size` bytes; returns body, bytes taken, fault and whether it is complete. */
function decode(framing: ResponseFraming, wire: string, size = wire.length) {
  const decoder = bodyDecoder(framing);
  const bytes = bytesOf(wire);
  let body = "";
  let at = 0;
  while (at < bytes.length && !decoder.done) {
    const taken = decoder.decode(bytes, at, Math.min(bytes.length, at + size), (from, to) => {
      assert.ok(to > from, "no empty runs");
      body += new TextDecoder().decode(bytes.subarray(from, to));
    });
    if (!taken.ok) return { body, at, fault: taken.error, done: decoder.done };
    at = taken.value;
  }
  return { body, at, fault: null, done: decoder.done };
}

Deno.test("bodyDecoder() of a length takes exactly that many bytes", () => {
  for (const size of [1, 2, 100]) {
    assert.deepEqual(decode({ kind: "length", bytes: 5 }, "helloNEXT", size), {
      body: "hello",
      at: 5,
      fault: null,
      done: true,
    });
  }
});

Deno.test("bodyDecoder() without a body is done at once", () => {
  assert.equal(bodyDecoder({ kind: "none" }).done, true);
  assert.equal(bodyDecoder({ kind: "none" }).close(), null);
  assert.equal(bodyDecoder({ kind: "length", bytes: 0 }).done, true);
});

Deno.test("bodyDecoder() reports a close before the end as TRUNCATED", () => {
  const length = bodyDecoder({ kind: "length", bytes: 5 });
  length.decode(bytesOf("hell"), 0, 4, () => {});
  assert.equal(length.close(), "TRUNCATED");
  const chunked = bodyDecoder({ kind: "chunked" });
  chunked.decode(bytesOf("1\r\na\r\n0\r\n"), 0, 9, () => {});
  assert.equal(chunked.close(), "TRUNCATED");
});

Deno.test("bodyDecoder() until close takes everything and ends with the close", () => {
  const decoder = bodyDecoder({ kind: "until-close" });
  assert.equal(decoder.done, false);
  let taken = 0;
  decoder.decode(bytesOf("abc"), 0, 3, (from, to) => taken += to - from);
  assert.equal(taken, 3);
  assert.equal(decoder.close(), null);
  assert.equal(decoder.done, true);
  assert.ok(!decoder.decode(bytesOf("a"), 0, 1, () => {}).ok);
});

Deno.test("ChunkedDecoder decode() reads chunks, extensions and trailers in pieces of any size", () => {
  const wire =
    '5\r\nhello\r\n00006;name="v"\r\n world\r\nA \r\n0123456789\r\n0;x\r\nExpires: never\r\nX: y\r\n\r\n';
  for (let size = 1; size <= wire.length; size++) {
    assert.deepEqual(decode({ kind: "chunked" }, wire + "GET", size), {
      body: "hello world0123456789",
      at: wire.length,
      fault: null,
      done: true,
    }, `size ${size}`);
  }
});

for (
  const wire of [
    "\r\n",
    ";x\r\n",
    "g\r\n",
    "-1\r\n",
    "1\na\r\n",
    "1\r\nab\r\n",
    "1\r\na\n",
    "1\r\na\rX",
    "1\rX",
    "1;\0\r\n",
    "1x\r\n",
    "fffffffffffff\r\n",
    "0\r\n\0\r\n",
    "0\r\na\0",
    "0\r\na: b\rX",
    "0\r\n\rX",
    `1;${"a".repeat(5000)}`,
    `0\r\n${"a: b\r\n".repeat(4000)}`,
  ]
) {
  Deno.test(`ChunkedDecoder decode() refuses ${JSON.stringify(wire.slice(0, 20))} (${wire.length} bytes)`, () => {
    assert.equal(decode({ kind: "chunked" }, wire).fault, "CHUNK");
    assert.equal(decode({ kind: "chunked" }, wire, 1).fault, "CHUNK");
  });
}

Deno.test("encodeChunk() and ChunkedDecoder agree", () => {
  const wire = new TextDecoder().decode(
    new Uint8Array([...encodeChunk(bytesOf("a".repeat(300))), ...encodeChunk(bytesOf("z"), true)]),
  );
  assert.equal(wire.slice(0, 5), "12c\r\n");
  assert.equal(decode({ kind: "chunked" }, wire).body, "a".repeat(300) + "z");
});

Deno.test("encodeChunk() of nothing does not end the body unless told", () => {
  assert.equal(encodeChunk(new Uint8Array()).length, 0);
  assert.equal(new TextDecoder().decode(encodeChunk(new Uint8Array(), true)), "0\r\n\r\n");
  assert.equal(new TextDecoder().decode(lastChunk()), "0\r\n\r\n");
});
