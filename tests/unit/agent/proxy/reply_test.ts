import assert from "node:assert/strict";
import { isRelayable, reply } from "../../../../src/agent/proxy/reply.ts";
import type { UpstreamResponse } from "../../../../src/agent/upstream/mod.ts";

const TRAITS = { compresses: false, closesWhenTold: false };
const bytesOf = (text: string) => new TextEncoder().encode(text);

function answer(given: Partial<UpstreamResponse>): UpstreamResponse {
  return { status: 200, reason: "OK", version: "1.1", headers: [], body: bytesOf("hi"), ...given };
}

function fields(response: Response): Record<string, string> {
  return Object.fromEntries(response.headers);
}

Deno.test("reply() passes fields on in order, repeated ones too, and sets the marker", () => {
  const { response, closes, isStream } = reply(
    answer({ headers: [["x", "1"], ["set-cookie", "a"], ["set-cookie", "b"], ["x", "\xe9"]] }),
    "GET",
    TRAITS,
  );
  assert.deepEqual(response.headers.getSetCookie(), ["a", "b"]);
  assert.equal(response.headers.get("x"), "1, \xe9");
  assert.equal(response.headers.get("x-ms-azure-host-authorization"), "value");
  assert.deepEqual([closes, isStream], [false, false]);
});

Deno.test("reply() replaces what the host sent under the marker's name", () => {
  const { response } = reply(
    answer({ headers: [["x-ms-azure-host-authorization", "Azure-HMAC-SHA256 a b"]] }),
    "GET",
    TRAITS,
  );
  assert.equal(response.headers.get("x-ms-azure-host-authorization"), "value");
});

Deno.test("reply() leaves framing and the host's own connection to others", () => {
  const { response, closes } = reply(
    answer({
      headers: [
        ["connection", "keep-alive"],
        ["keep-alive", "timeout=5"],
        ["proxy-connection", "x"],
        ["trailer", "x"],
        ["content-length", "2"],
        ["upgrade", "h2c"],
      ],
    }),
    "GET",
    TRAITS,
  );
  assert.deepEqual(fields(response), { upgrade: "h2c", "x-ms-azure-host-authorization": "value" });
  assert.equal(closes, false);
});

Deno.test("reply() keeps what was chunked chunked, where there is a body", () => {
  const headers: UpstreamResponse["headers"] = [["transfer-encoding", "chunked"]];
  const coding = (given: Partial<UpstreamResponse>) =>
    reply(answer({ headers, ...given }), "GET", TRAITS).response.headers.get("transfer-encoding");
  assert.equal(coding({}), "chunked");
  assert.equal(coding({ body: null }), null);
  assert.equal(coding({ status: 304 }), null);
});

Deno.test("reply() passes a close on", () => {
  const { response, closes } = reply(
    answer({ headers: [["connection", "x, Close"]] }),
    "GET",
    TRAITS,
  );
  assert.equal(closes, true);
  assert.equal(response.headers.get("connection"), "close");
});

Deno.test("reply() relays 101 as it is and closes", () => {
  const { response, closes } = reply(
    answer({ status: 101, headers: [["connection", "upgrade"], ["upgrade", "x"]], body: null }),
    "GET",
    TRAITS,
  );
  assert.equal(response.status, 101);
  assert.equal(response.headers.get("connection"), "upgrade");
  assert.equal(response.headers.get("upgrade"), "x");
  assert.equal(closes, true);
});

Deno.test("reply() gives no body to statuses that have none, and cancels one that streams", async () => {
  for (const status of [204, 205, 304]) {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      cancel: () => void (cancelled = true),
    });
    const { response, isStream } = reply(answer({ status, body }), "GET", TRAITS);
    assert.equal(response.body, null);
    assert.equal(isStream, false);
    await Promise.resolve();
    assert.equal(cancelled, true);
  }
});

Deno.test("reply() keeps the length of a body that streams", async () => {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.enqueue(bytesOf("hi"));
      controller.close();
    },
  });
  const { response, isStream } = reply(
    answer({ body, headers: [["content-length", "2"]] }),
    "GET",
    TRAITS,
  );
  assert.equal(isStream, true);
  assert.equal(response.headers.get("content-length"), "2");
  assert.equal(await response.text(), "hi");
});

Deno.test("reply() keeps the length a HEAD answer states, and states none where there is none", async () => {
  const stated = reply(answer({ body: null, headers: [["content-length", "77"]] }), "HEAD", TRAITS);
  assert.equal(stated.response.headers.get("content-length"), "77");
  assert.equal(stated.response.body, null);
  const silent = reply(answer({ body: null }), "HEAD", TRAITS);
  assert.ok(silent.response.body !== null);
  assert.equal(await silent.response.text(), "");
});

Deno.test("reply() has a copy of the body, so that the buffer behind it may be used again", async () => {
  const buffer = bytesOf("..hello..");
  const { response } = reply(answer({ body: buffer.subarray(2, 7) }), "GET", TRAITS);
  buffer.fill(0);
  assert.equal(await response.text(), "hello");
});

Deno.test("reply() changes no byte of a body, whatever it is, and adds no type", async () => {
  const bodies = ["hello", "h\xe9llo", "\ufeff{}", "\r\n\0", ""].map(bytesOf);
  bodies.push(new Uint8Array([0xff, 0xfe, 0x80, 0x00]));
  for (const body of bodies) {
    for (const type of [null, "application/json", "text/plain; charset=utf-16"]) {
      const headers: UpstreamResponse["headers"] = type === null ? [] : [["content-type", type]];
      const { response } = reply(answer({ body: body.slice(), headers }), "GET", TRAITS);
      assert.deepEqual(await response.bytes(), body);
      assert.equal(response.headers.get("content-type"), type);
    }
  }
});

Deno.test("reply() forbids a compressing server to transform, and changes nothing for others", () => {
  const compressing = { ...TRAITS, compresses: true };
  const control = (headers: UpstreamResponse["headers"]) =>
    reply(answer({ headers }), "GET", compressing).response.headers.get("cache-control");
  assert.equal(control([]), "no-transform");
  const given: UpstreamResponse["headers"] = Object.freeze([
    ["cache-control", "no-store"] as const,
  ]);
  assert.equal(control(given), "no-store, no-transform");
  assert.equal(given[0]![1], "no-store", "the answer itself is untouched");
  assert.equal(reply(answer({}), "GET", TRAITS).response.headers.get("cache-control"), null);
});

Deno.test("isRelayable() knows what the runtime can say", () => {
  assert.deepEqual([100, 101, 103, 199, 200, 599, 600, 999].filter(isRelayable), [101, 200, 599]);
});
