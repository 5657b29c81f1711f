import assert from "node:assert/strict";
import { type Dial, Exchange, HOST_LIMITS } from "../../../../src/agent/host/mod.ts";
import type { OwnRequest } from "../../../../src/domain/endorsement/mod.ts";
import type { AgentError } from "../../../../src/runtime/errors.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { ScriptedSocket } from "../../../fakes/scripted_socket.ts";

const TO = { address: "168.63.129.16", port: 80 };
const REQUEST: OwnRequest = {
  method: "GET",
  target: "/x",
  headers: [["host", "168.63.129.16"], ["metadata", "True"]],
  body: null,
};
const never = new AbortController().signal;

function stand(dial?: Dial) {
  const clock = new FakeClock();
  const socket = new ScriptedSocket();
  const exchange = new Exchange(clock, dial ?? (() => Promise.resolve(socket)));
  const ask = (signal = never, request = REQUEST) => exchange.ask("ask", TO, request, signal);
  return { clock, socket, ask };
}

/** The error of a promise, with what a rejection would be missed for. */
async function failure(asking: Promise<unknown>): Promise<AgentError> {
  return await asking.then(
    () => assert.fail("it was answered"),
    (error: AgentError) => error,
  );
}

Deno.test("ask() sends exactly the fields given and returns the answer", async () => {
  const { socket, ask } = stand();
  const asking = ask();
  socket.push("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
  const response = await asking;
  assert.equal(
    socket.sentText,
    "GET /x HTTP/1.1\r\nhost: 168.63.129.16\r\nmetadata: True \r\n\r\n",
  );
  assert.equal(response.status, 200);
  assert.equal(new TextDecoder().decode(response.body), "hello");
  assert.equal(socket.isClosed, true);
});

Deno.test("ask() adds the blank behind the signature to the secure channel's field alone", async () => {
  const { socket, ask } = stand();
  const headers: OwnRequest["headers"] = [["metadata", "true"], ["x-other", "True"]];
  const asking = ask(never, { ...REQUEST, headers });
  socket.push("HTTP/1.1 204 No Content\r\n\r\n");
  await asking;
  assert.ok(socket.sentText.includes("metadata: true\r\nx-other: True\r\n"));
});

Deno.test("ask() sends head and body, in as many writes as it takes", async () => {
  const { socket, ask } = stand();
  socket.writing = "few";
  const body = new TextEncoder().encode("0123456789");
  const asking = ask(never, { ...REQUEST, method: "POST", body });
  socket.push("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  await asking;
  assert.ok(socket.sentText.startsWith("POST /x HTTP/1.1\r\n"));
  assert.ok(socket.sentText.endsWith("\r\n\r\n0123456789"));
  assert.ok(socket.sent.length > 5);
});

Deno.test("ask() puts an answer together from pieces, and takes the end of the connection for its end", async () => {
  const { socket, ask } = stand();
  const asking = ask();
  for (const character of "HTTP/1.1 200 OK\r\n\r\nab") socket.push(character);
  socket.end();
  assert.equal(new TextDecoder().decode((await asking).body), "ab");
});

Deno.test("ask() gives up connecting after 5 s and closes a connection that comes too late", async () => {
  let arrive: (socket: ScriptedSocket) => void = () => {};
  let dialSignal: AbortSignal | null = null;
  const { clock, socket, ask } = stand((_to, signal) => {
    dialSignal = signal;
    return new Promise((resolve) => arrive = resolve);
  });
  const asking = failure(ask());
  await clock.advance(HOST_LIMITS.connectMs - 1);
  assert.equal((dialSignal as AbortSignal | null)?.aborted, false);
  await clock.advance(1);
  const error = await asking;
  assert.equal(error.code, "HOST_TIMEOUT");
  assert.ok(error.message.includes("5000 ms"));
  assert.equal((dialSignal as AbortSignal | null)?.aborted, true);
  arrive(socket);
  await clock.settle();
  assert.equal(socket.isClosed, true);
  assert.equal(clock.sleeping, 0);
});

Deno.test("ask() gives up on a silent host after 15 s, connecting included", async () => {
  const { clock, socket, ask } = stand();
  const asking = failure(ask());
  await clock.advance(HOST_LIMITS.wholeMs - 1);
  assert.equal(socket.isClosed, false);
  await clock.advance(1);
  const error = await asking;
  assert.equal(error.code, "HOST_TIMEOUT");
  assert.ok(error.message.includes("15000 ms"));
  assert.equal(socket.isClosed, true);
  assert.equal(clock.sleeping, 0);
});

Deno.test("ask() gives up on a host that drips", async () => {
  const { clock, socket, ask } = stand();
  const asking = failure(ask());
  socket.push("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
  for (let second = 0; second < 15; second++) {
    socket.push("x");
    await clock.advance(1_000);
  }
  assert.equal((await asking).code, "HOST_TIMEOUT");
});

Deno.test("ask() gives up on a host that does not take the request", async () => {
  const { clock, socket, ask } = stand();
  socket.writing = "stalled";
  const asking = failure(ask());
  await clock.advance(HOST_LIMITS.wholeMs);
  assert.equal((await asking).code, "HOST_TIMEOUT");
  assert.equal(socket.isClosed, true);
});

Deno.test("ask() ends when its signal fires, before and while asking", async () => {
  const before = stand();
  assert.equal((await failure(before.ask(AbortSignal.abort()))).code, "HOST_TIMEOUT");
  const during = stand();
  const stop = new AbortController();
  const asking = failure(during.ask(stop.signal));
  await during.clock.settle();
  stop.abort();
  assert.equal((await asking).code, "HOST_TIMEOUT");
  assert.equal(during.socket.isClosed, true);
});

Deno.test("ask() says that there is no connection", async () => {
  const cause = new Deno.errors.ConnectionRefused("no");
  const { ask } = stand(() => Promise.reject(cause));
  const error = await failure(ask());
  assert.equal(error.code, "HOST_CONNECT");
  assert.equal(error.cause, cause);
  assert.deepEqual(error.detail, { ...TO });
});

Deno.test("ask() reports a broken connection and what is no answer", async () => {
  const cases: [(socket: ScriptedSocket) => void, string][] = [
    [(socket) => socket.reset(), "HOST_PROTOCOL"],
    [(socket) => socket.end(), "HOST_PROTOCOL"],
    [(socket) => socket.push("SSH-2.0-OpenSSH\r\n\r\n"), "HOST_PROTOCOL"],
    [(socket) => {
      socket.push("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
      socket.end();
    }, "HOST_PROTOCOL"],
    [
      (socket) => socket.push("HTTP/1.1 200 OK\r\ncontent-length: 4194305\r\n\r\n"),
      "HOST_BODY_TOO_LARGE",
    ],
    [
      (socket) => socket.push("HTTP/1.1 200 OK\r\n" + "x: y\r\n".repeat(101) + "\r\n"),
      "HOST_PROTOCOL",
    ],
    [(socket) => socket.push("HTTP/1.1 200 OK\r\nx: " + "y".repeat(70_000)), "HOST_PROTOCOL"],
  ];
  for (const [play, code] of cases) {
    const { socket, ask } = stand();
    const asking = failure(ask());
    play(socket);
    assert.equal((await asking).code, code, play.toString());
    assert.equal(socket.isClosed, true);
  }
});

Deno.test("ask() never repeats what the host sent", async () => {
  const { socket, ask } = stand();
  const asking = failure(ask());
  socket.push("SECRET-TEXT\r\n\r\n");
  const error = await asking;
  assert.ok(!Deno.inspect(error, { depth: 10 }).includes("SECRET-TEXT"));
});

Deno.test("ask() bounds a body whose length nobody announced", async () => {
  const { socket, ask } = stand();
  const asking = failure(ask());
  socket.push("HTTP/1.1 200 OK\r\n\r\n");
  for (let megabyte = 0; megabyte < 5; megabyte++) socket.push(new Uint8Array(1_048_576));
  assert.equal((await asking).code, "HOST_BODY_TOO_LARGE");
});
