import assert from "node:assert/strict";
import { HEAD_LIMITS, RequestReader, ResponseReader } from "../../../../src/agent/http1/mod.ts";

const LIMITS = { ...HEAD_LIMITS, headBytes: 300, bodyBytes: 20 };
const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const TWO_REQUESTS = "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" +
  "PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\nt: r\r\n\r\n" +
  "GET /c HTTP/1.1\r\n\r\n";

Deno.test("RequestReader push() returns the requests of a connection, whatever the pieces", () => {
  for (let size = 1; size <= TWO_REQUESTS.length; size++) {
    const reader = new RequestReader(LIMITS);
    const seen: string[] = [];
    for (let at = 0; at < TWO_REQUESTS.length; at += size) {
      const pushed = reader.push(bytesOf(TWO_REQUESTS.slice(at, at + size)));
      assert.ok(pushed.ok);
      for (const one of pushed.value) {
        seen.push(`${one.method} ${one.target} ${textOf(one.body)} ${textOf(one.rawHead).length}`);
      }
    }
    assert.deepEqual(seen, ["POST /a abc 48", "PUT /b def 47", "GET /c  19"], `size ${size}`);
    assert.equal(reader.close(), null);
  }
});

Deno.test("RequestReader rawHead is a copy of exactly the received bytes", () => {
  const reader = new RequestReader(LIMITS);
  const wire = bytesOf("GET /x HTTP/1.1\r\nHOST:  h \r\n\r\n");
  const pushed = reader.push(wire);
  wire.fill(0);
  assert.ok(pushed.ok);
  assert.equal(textOf(pushed.value[0]!.rawHead), "GET /x HTTP/1.1\r\nHOST:  h \r\n\r\n");
  assert.deepEqual(pushed.value[0]!.headers, [["host", "h"]]);
});

Deno.test("RequestReader body does not share memory with a received node Buffer", async () => {
  const { Buffer } = await import("node:buffer");
  const wire = Buffer.from("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi");
  const pushed = new RequestReader(LIMITS).push(wire);
  wire.fill(0);
  assert.ok(pushed.ok);
  assert.equal(textOf(pushed.value[0]!.body), "hi");
});

Deno.test("RequestReader close() inside a request is TRUNCATED", () => {
  const reader = new RequestReader(LIMITS);
  reader.push(bytesOf("GET / HT"));
  assert.equal(reader.close(), "TRUNCATED");
  const inBody = new RequestReader(LIMITS);
  inBody.push(bytesOf("POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nh"));
  assert.equal(inBody.close(), "TRUNCATED");
});

for (
  const [fault, wire] of [
    ["HEAD_TOO_LARGE", `GET /${"a".repeat(400)}`],
    ["HEAD_TOO_LARGE", `GET / HTTP/1.1\r\na: ${"a".repeat(280)}\r\n\r\n`],
    ["BODY_TOO_LARGE", "POST / HTTP/1.1\r\ncontent-length: 21\r\n\r\n"],
    [
      "BODY_TOO_LARGE",
      `POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n15\r\n${"a".repeat(21)}\r\n`,
    ],
    ["FRAMING", "POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"],
    ["CHUNK", "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx"],
    ["START_LINE", "GET /\r\n\r\n"],
  ] as const
) {
  Deno.test(`RequestReader push() reports ${fault} and stays with it`, () => {
    const reader = new RequestReader(LIMITS);
    const pushed = reader.push(bytesOf(wire));
    assert.deepEqual(pushed, { ok: false, error: fault });
    assert.deepEqual(reader.push(bytesOf("GET / HTTP/1.1\r\n\r\n")), { ok: false, error: fault });
  });
}

Deno.test("ResponseReader push() reads over interim responses", () => {
  const reader = new ResponseReader("GET", LIMITS);
  assert.deepEqual(
    reader.push(bytesOf("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\na: b\r\n\r\n")),
    {
      ok: true,
      value: null,
    },
  );
  const pushed = reader.push(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
  assert.ok(pushed.ok && pushed.value !== null);
  assert.equal(pushed.value.status, 200);
  assert.equal(textOf(pushed.value.body), "ok");
});

Deno.test("ResponseReader push() returns 101 as final and refuses endless interim responses", () => {
  const switching = new ResponseReader("GET", LIMITS).push(bytesOf("HTTP/1.1 101 S\r\n\r\n"));
  assert.ok(switching.ok && switching.value?.status === 101);
  const endless = new ResponseReader("GET", LIMITS).push(
    bytesOf("HTTP/1.1 100 Continue\r\n\r\n".repeat(17)),
  );
  assert.deepEqual(endless, { ok: false, error: "FRAMING" });
});

Deno.test("ResponseReader close() ends a body without a declared length and no other", () => {
  const untilClose = new ResponseReader("GET", LIMITS);
  untilClose.push(bytesOf("HTTP/1.0 200 OK\r\n\r\nall"));
  const response = untilClose.close();
  assert.ok(response.ok);
  assert.equal(textOf(response.value.body), "all");

  const truncated = new ResponseReader("GET", LIMITS);
  truncated.push(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhal"));
  assert.deepEqual(truncated.close(), { ok: false, error: "TRUNCATED" });
  assert.deepEqual(new ResponseReader("GET", LIMITS).close(), { ok: false, error: "TRUNCATED" });
});

Deno.test("ResponseReader push() takes no body for HEAD", () => {
  const pushed = new ResponseReader("HEAD", LIMITS).push(
    bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"),
  );
  assert.ok(pushed.ok && pushed.value?.body.length === 0);
});

Deno.test("ResponseReader push() bounds what it gathers", () => {
  const reader = new ResponseReader("GET", LIMITS);
  reader.push(bytesOf("HTTP/1.0 200 OK\r\n\r\n"));
  assert.deepEqual(reader.push(new Uint8Array(21)), { ok: false, error: "BODY_TOO_LARGE" });
  assert.ok(!reader.close().ok);
});
