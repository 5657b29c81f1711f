import assert from "node:assert/strict";
import { reply } from "../../../../src/agent/proxy/reply.ts";
import type { UpstreamResponse } from "../../../../src/agent/upstream/mod.ts";

const DATE = "Tue, 06 Jan 2026 07:08:09 GMT";
const MARKER = ["x-ms-azure-host-authorization", "value"];
const bytesOf = (text: string) => new TextEncoder().encode(text);

function answer(given: Partial<UpstreamResponse>): UpstreamResponse {
  return { status: 200, reason: "OK", version: "1.1", headers: [], body: bytesOf("hi"), ...given };
}

/** The answer's fields without the ones every answer gets. */
function fields(given: Partial<UpstreamResponse>, method = "GET") {
  const { headers } = reply(answer(given), method, DATE);
  assert.deepEqual(headers.at(-1), MARKER);
  return headers.slice(0, -1).filter(([name]) => name !== "date");
}

Deno.test("reply() passes status, phrase and fields on in order, repeated ones too, and sets the marker", () => {
  const headers: UpstreamResponse["headers"] = [
    ["x", "1"],
    ["set-cookie", "a"],
    ["set-cookie", "b"],
    ["x", "\xe9"],
    ["content-length", "2"],
  ];
  const { status, reason, closes } = reply(
    answer({ status: 299, reason: "So So", headers }),
    "GET",
    DATE,
  );
  assert.deepEqual([status, reason, closes], [299, "So So", false]);
  assert.deepEqual(fields({ headers }), headers);
});

Deno.test("reply() replaces what the host sent under the marker's name", () => {
  const { headers } = reply(
    answer({ headers: [["x-ms-azure-host-authorization", "Azure-HMAC-SHA256 a b"]] }),
    "GET",
    DATE,
  );
  assert.deepEqual(headers.filter(([name]) => name === MARKER[0]), [MARKER]);
});

Deno.test("reply() leaves the host's own connection behind", () => {
  assert.deepEqual(
    fields({
      headers: [
        ["connection", "keep-alive"],
        ["keep-alive", "timeout=5"],
        ["proxy-connection", "x"],
        ["trailer", "x"],
        ["transfer-encoding", "chunked"],
        ["upgrade", "h2c"],
      ],
    }),
    [["upgrade", "h2c"], ["content-length", "2"]],
  );
});

Deno.test("reply() states the date where the host did not", () => {
  const dates = (headers: UpstreamResponse["headers"]) =>
    reply(answer({ headers }), "GET", DATE).headers.filter(([name]) => name === "date");
  assert.deepEqual(dates([]), [["date", DATE]]);
  assert.deepEqual(dates([["date", "yesterday"]]), [["date", "yesterday"]]);
});

Deno.test("reply() states one length, that of the body", () => {
  assert.deepEqual(fields({ headers: [["content-length", "2, 2"]] }), [["content-length", "2"]]);
  assert.deepEqual(fields({ headers: [["content-length", "2"], ["content-length", "2"]] }), [
    ["content-length", "2"],
  ]);
  assert.deepEqual(fields({}), [["content-length", "2"]]);
  assert.deepEqual(fields({ body: null }), [["content-length", "0"]]);
});

Deno.test("reply() passes a close on", () => {
  for (const connection of ["keep-alive", "x, closed", ""]) {
    assert.equal(
      reply(answer({ headers: [["connection", connection]] }), "GET", DATE).closes,
      false,
    );
  }
  const { closes, headers } = reply(answer({ headers: [["connection", "x, Close"]] }), "GET", DATE);
  assert.equal(closes, true);
  assert.ok(headers.every(([name]) => name !== "connection"), "the connection says that itself");
});

Deno.test("reply() relays 101 as it is and closes", () => {
  const given = answer({
    status: 101,
    headers: [["connection", "upgrade"], ["upgrade", "x"]],
    body: null,
  });
  const { status, closes, headers } = reply(given, "GET", DATE);
  assert.deepEqual([status, closes], [101, true]);
  assert.deepEqual(headers.slice(0, 2), [["connection", "upgrade"], ["upgrade", "x"]]);
  assert.ok(headers.every(([name]) => name !== "content-length"));
});

Deno.test("reply() gives no body to statuses that have none, and cancels one that streams", async () => {
  for (const status of [204, 205, 304]) {
    let cancelled = false;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      cancel: () => void (cancelled = true),
    });
    const { body } = reply(answer({ status, body: stream }), "GET", DATE);
    assert.equal(body, null);
    await Promise.resolve();
    assert.equal(cancelled, true);
  }
  assert.deepEqual(fields({ status: 204, body: null, headers: [["content-length", "0"]] }), []);
  assert.deepEqual(fields({ status: 205, body: null }), [["content-length", "0"]]);
  const stated: UpstreamResponse["headers"] = [["content-length", "77"]];
  assert.deepEqual(fields({ status: 304, body: null, headers: stated }), stated);
});

Deno.test("reply() keeps the length of a body that streams", () => {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>();
  const stated: UpstreamResponse["headers"] = [["content-length", "99999"]];
  assert.deepEqual(fields({ body, headers: stated }), stated);
  assert.deepEqual(fields({ body: new ReadableStream<Uint8Array<ArrayBuffer>>() }), []);
});

Deno.test("reply() keeps the length a HEAD answer states, and states none where there is none", () => {
  const stated: UpstreamResponse["headers"] = [["content-length", "77"]];
  assert.deepEqual(fields({ body: null, headers: stated }, "HEAD"), stated);
  assert.deepEqual(fields({ body: null }, "HEAD"), []);
});
