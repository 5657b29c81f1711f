import assert from "node:assert/strict";
import {
  type OnSlow,
  StaleConnectionError,
  Upstream,
  UPSTREAM_LIMITS,
  type UpstreamLimits,
  type UpstreamResponse,
} from "../../../../src/agent/upstream/mod.ts";
import type { Forwardable } from "../../../../src/domain/endorsement/mod.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { sampleExempt, sampleForwardable, sampleKey } from "../../../fakes/sample_request.ts";
import { ScriptedSocket } from "../../../fakes/scripted_socket.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** An upstream whose connections are played by the test. */
class Bench implements Disposable {
  readonly clock = new FakeClock();
  readonly sockets: ScriptedSocket[] = [];
  /** What dialling does. */
  dialling: "connect" | "refuse" | "hang" = "connect";
  readonly upstream: Upstream;

  constructor(limits: Partial<UpstreamLimits> = {}) {
    this.upstream = new Upstream({
      clock: this.clock,
      limits,
      dial: (_to, signal) => {
        if (this.dialling === "refuse") return Promise.reject(new Deno.errors.ConnectionRefused());
        if (this.dialling === "hang") {
          return new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(new Error("aborted")));
          });
        }
        const socket = new ScriptedSocket();
        this.sockets.push(socket);
        return Promise.resolve(socket);
      },
    });
  }

  /** The socket opened last. */
  get socket(): ScriptedSocket {
    return this.sockets.at(-1)!;
  }

  /** Forwards, and keeps of a whole body a copy that stays. */
  forward(request: Forwardable, onSlow: OnSlow | null = null): Promise<UpstreamResponse> {
    return this.upstream.forward(request, (answer) => ({
      ...answer,
      body: answer.body instanceof Uint8Array ? answer.body.slice() : answer.body,
    }), onSlow);
  }

  settle(): Promise<void> {
    return this.clock.settle();
  }

  /** Forwards a request and has it answered. */
  async exchange(
    answer: string | Uint8Array,
    request = sampleForwardable(),
  ): Promise<UpstreamResponse> {
    const response = this.forward(request);
    await this.settle();
    this.socket.push(answer);
    return await response;
  }

  [Symbol.dispose](): void {
    this.upstream.close();
  }
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async function failure(promise: Promise<unknown>): Promise<AgentError> {
  const error = await promise.then(() => null, (reason) => reason);
  assert.ok(error instanceof AgentError, String(error));
  return error;
}

async function collect(body: UpstreamResponse["body"]): Promise<string> {
  assert.ok(body instanceof ReadableStream);
  let text = "";
  for await (const piece of body) text += textOf(piece);
  return text;
}

Deno.test("forward() sends exactly the endorsed bytes, head and body in one write", async () => {
  using bench = new Bench();
  const request = sampleForwardable({
    method: "POST",
    target: "/a?b=c",
    headers: [["host", "h"], ["content-length", "2"]],
    body: bytesOf("hi"),
    key: sampleKey(),
  });
  await bench.exchange(OK, request);
  const fields = request.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  assert.equal(bench.socket.sent.length, 1);
  assert.equal(bench.socket.sentText, `POST /a?b=c HTTP/1.1\r\n${fields}\r\nhi`);
  assert.match(fields, /x-ms-azure-host-authorization: Azure-HMAC-SHA256 /);
});

Deno.test("forward() sends a whole body that was announced as chunked as one chunk", async () => {
  using bench = new Bench();
  const request = sampleForwardable({
    method: "POST",
    headers: [["host", "h"], ["transfer-encoding", "chunked"]],
    body: bytesOf("0123456789"),
    isChunked: true,
  });
  await bench.exchange(OK, request);
  assert.equal(bench.socket.sent.length, 1);
  assert.match(
    bench.socket.sentText,
    /transfer-encoding: chunked\r\n.*\r\n\r\na\r\n0123456789\r\n0\r\n\r\n$/s,
  );
});

Deno.test("forward() returns status, reason, version, fields and a whole small body", async () => {
  using bench = new Bench();
  const response = await bench.exchange(
    "HTTP/1.1 299 Quite Fine\r\nA: 1\r\na: \xe9\r\nContent-Length: 2\r\n\r\nok",
  );
  assert.deepEqual({ ...response, body: textOf(response.body as Uint8Array) }, {
    status: 299,
    reason: "Quite Fine",
    version: "1.1",
    headers: [["a", "1"], ["a", "\xe9"], ["content-length", "2"]],
    body: "ok",
  });
});

Deno.test("forward() refuses a look-alike of an endorsed request and opens nothing for it", async () => {
  using bench = new Bench();
  const real = sampleForwardable({ key: sampleKey() });
  const fake = { ...real } as typeof real;
  await assert.rejects(bench.forward(fake), TypeError);
  assert.equal(bench.sockets.length, 0);
});

Deno.test("forward() writes nothing of a head that would break its lines, and keeps the connection", async () => {
  using bench = new Bench();
  const request = sampleForwardable({ target: "/x HTTP/1.1\r\nx: y" });
  for (let i = 0; i < 2; i++) {
    await assert.rejects(bench.forward(request), TypeError); // on a fresh connection, then on a kept one
    assert.equal(bench.socket.sent.length, 0);
  }
  await bench.exchange(OK);
  assert.equal(bench.sockets.length, 1);
});

Deno.test("forward() fails with what taking the answer fails with", async () => {
  using bench = new Bench();
  for (const answer of [OK, "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"]) {
    const outcome = bench.upstream.forward(sampleForwardable(), () => {
      throw new RangeError("no");
    });
    await bench.settle();
    bench.socket.push(answer);
    await assert.rejects(outcome, RangeError);
  }
  assert.equal(bench.socket.isClosed, true, "nobody wants the rest of the stream");
});

Deno.test("forward() shows a whole body where it arrived, before anything else can arrive there", async () => {
  using bench = new Bench();
  let reads = 0;
  const answer = bench.upstream.forward(sampleForwardable(), ({ body }) => {
    reads = bench.socket.reads;
    return textOf(body as Uint8Array);
  });
  await bench.settle();
  bench.socket.push(OK);
  assert.equal(await answer, "ok");
  assert.equal(bench.socket.reads, reads + 1, "the next read began after the answer was taken");
});

Deno.test("forward() opens a connection for the first request and uses it again", async () => {
  using bench = new Bench();
  assert.equal(bench.sockets.length, 0);
  for (let i = 0; i < 3; i++) {
    const response = await bench.exchange(OK);
    assert.equal(textOf(response.body as Uint8Array), "ok");
  }
  assert.equal(bench.sockets.length, 1);
  assert.deepEqual(bench.upstream.report(), [{
    destination: { address: "169.254.169.254", port: 80 },
    live: 1,
    idle: 1,
    waiting: 0,
  }]);
});

Deno.test("forward() keeps the connections of destinations apart and bounds the destinations", async () => {
  using bench = new Bench();
  for (let port = 1; port <= 16; port++) {
    await bench.exchange(OK, sampleForwardable({ destination: { address: "10.0.0.1", port } }));
  }
  assert.equal(bench.sockets.length, 16);
  const one = bench.forward(
    sampleForwardable({ destination: { address: "10.0.0.1", port: 17 } }),
  );
  assert.equal((await failure(one)).code, "UPSTREAM_CLOSED");
});

for (
  const [what, head, method] of [
    ["HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n", "HEAD"],
    ["204", "HTTP/1.1 204 No Content\r\n\r\n", "GET"],
    ["304", "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", "GET"],
  ] as const
) {
  Deno.test(`forward() takes no body for ${what} and keeps the connection`, async () => {
    using bench = new Bench();
    const response = await bench.exchange(head, sampleForwardable({ method }));
    assert.equal(response.body, null);
    await bench.exchange(OK);
    assert.equal(bench.sockets.length, 1);
  });
}

Deno.test("forward() reads an empty declared body as empty", async () => {
  using bench = new Bench();
  const response = await bench.exchange("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  assert.deepEqual(response.body, new Uint8Array());
});

Deno.test("forward() swallows interim responses", async () => {
  using bench = new Bench();
  const answer = bench.forward(sampleForwardable());
  await bench.settle();
  bench.socket.push("HTTP/1.1 100 Continue\r\n\r\n");
  await bench.settle();
  bench.socket.push(`HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${OK}`);
  assert.equal((await answer).status, 200);
  await bench.exchange(OK);
  assert.equal(bench.sockets.length, 1);
});

Deno.test("forward() ends with a fault when interim responses never end", async () => {
  using bench = new Bench();
  const answer = bench.exchange("HTTP/1.1 100 Continue\r\n\r\n".repeat(17));
  assert.equal((await failure(answer)).code, "UPSTREAM_PROTOCOL");
});

Deno.test("forward() returns 101 without a body and closes the connection", async () => {
  using bench = new Bench();
  const response = await bench.exchange("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n");
  assert.equal(response.status, 101);
  assert.equal(response.body, null);
  assert.equal(bench.socket.isClosed, true);
});

Deno.test("forward() returns a chunked body that arrived with its head as a whole, without trailers", async () => {
  using bench = new Bench();
  const response = await bench.exchange(
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nt: u\r\n\r\n",
  );
  assert.equal(textOf(response.body as Uint8Array), "abc");
  await bench.exchange(OK);
  assert.equal(bench.sockets.length, 1);
});

Deno.test("forward() streams a chunked body that is still arriving and keeps the connection", async () => {
  using bench = new Bench();
  const response = await bench.exchange(
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
  );
  const text = collect(response.body);
  await bench.settle();
  bench.socket.push("3");
  await bench.settle();
  bench.socket.push("\r\ncde\r\n0\r\n");
  await bench.settle();
  bench.socket.push("trailer: x\r\n\r\n");
  assert.equal(await text, "abcde");
  await bench.exchange(OK);
  assert.equal(bench.sockets.length, 1);
});

Deno.test("forward() waits for a small body that comes after its head", async () => {
  using bench = new Bench();
  const answer = bench.forward(sampleForwardable());
  await bench.settle();
  for (const piece of ["HTTP/1.1 200 OK\r\ncontent-le", "ngth: 4\r\n\r", "\n", "ab", "cd"]) {
    bench.socket.push(piece);
    await bench.settle();
  }
  assert.equal(textOf((await answer).body as Uint8Array), "abcd");
});

Deno.test("forward() streams a large body and reads no faster than it is taken", async () => {
  using bench = new Bench();
  const total = 10_000_000;
  const response = await bench.exchange(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
  assert.ok(response.body instanceof ReadableStream);
  for (let i = 0; i < total / 100_000; i++) bench.socket.push(new Uint8Array(100_000));
  await bench.settle();
  const before = bench.socket.reads;
  const reader = response.body.getReader();
  assert.ok((await reader.read()).value!.length <= 65_536);
  await bench.settle();
  assert.equal(bench.socket.reads, before + 1, "one read for one piece taken");
  let taken = 65_536;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    taken += value.length;
  }
  assert.equal(taken, total);
  await bench.exchange(OK);
  assert.equal(bench.sockets.length, 1);
});

Deno.test("forward() gives a trickled body out without holding on to large arrays", async () => {
  using bench = new Bench();
  const response = await bench.exchange("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  bench.socket.push("x");
  const { value } = await reader.read();
  assert.equal(value!.buffer.byteLength, 1);
  await reader.cancel();
});

Deno.test("forward() streams a body that ends with the connection", async () => {
  using bench = new Bench();
  const response = await bench.exchange("HTTP/1.1 200 OK\r\n\r\nab");
  const text = collect(response.body);
  await bench.settle();
  bench.socket.push("cd");
  await bench.settle();
  bench.socket.end();
  assert.equal(await text, "abcd");
  assert.equal(bench.socket.isClosed, true);
});

Deno.test("forward() fails when a small body is cut short", async () => {
  using bench = new Bench();
  const answer = bench.forward(sampleForwardable());
  await bench.settle();
  bench.socket.push("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
  await bench.settle();
  bench.socket.end();
  assert.equal((await failure(answer)).code, "UPSTREAM_CLOSED");
});

for (
  const [what, head] of [
    ["length", "content-length: 100000\r\n\r\nab"],
    ["chunked", "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n"],
  ] as const
) {
  Deno.test(`forward() fails the stream when a body of kind ${what} is cut short`, async () => {
    for (const way of ["end", "reset"] as const) {
      using bench = new Bench();
      const response = await bench.exchange(`HTTP/1.1 200 OK\r\n${head}`);
      const text = collect(response.body);
      await bench.settle();
      bench.socket[way]();
      assert.equal((await failure(text)).code, "UPSTREAM_CLOSED");
      assert.equal(bench.socket.isClosed, true);
    }
  });
}

Deno.test("forward() fails the stream when chunking breaks", async () => {
  using bench = new Bench();
  const response = await bench.exchange(
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
  );
  const text = collect(response.body);
  await bench.settle();
  bench.socket.push("zz\r\n");
  assert.equal((await failure(text)).code, "UPSTREAM_PROTOCOL");
});

for (
  const answer of [
    "ICY 200 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz",
    `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(101)}\r\n`,
    `HTTP/1.1 200 OK\r\na: ${"b".repeat(2_000)}`,
  ]
) {
  Deno.test(`forward() refuses ${JSON.stringify(answer.slice(0, 60))} (${answer.length} bytes)`, async () => {
    using bench = new Bench({ head: { ...UPSTREAM_LIMITS.head, headBytes: 1_000 } });
    assert.equal((await failure(bench.exchange(answer))).code, "UPSTREAM_PROTOCOL");
    assert.equal(bench.socket.isClosed, true);
  });
}

for (
  const [what, answer] of [
    ["connection: close", "HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n"],
    ["version 1.0", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"],
    ["bytes behind the answer", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"],
  ] as const
) {
  Deno.test(`forward() does not use a connection again after ${what}`, async () => {
    using bench = new Bench();
    await bench.exchange(answer);
    assert.equal(bench.socket.isClosed, true);
    await bench.exchange(OK);
    assert.equal(bench.sockets.length, 2);
  });
}

Deno.test("forward() uses a connection again after version 1.0 with keep-alive", async () => {
  using bench = new Bench();
  await bench.exchange("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n");
  await bench.exchange(OK);
  assert.equal(bench.sockets.length, 1);
});

for (const way of ["end", "reset", "push"] as const) {
  Deno.test(`an idle connection is closed at once when the host does: ${way}`, async () => {
    using bench = new Bench();
    await bench.exchange(OK);
    const first = bench.socket;
    if (way === "push") first.push("HTTP/1.1 408 Timeout\r\n\r\n");
    else first[way]();
    await bench.settle();
    assert.equal(first.isClosed, true);
    assert.equal(bench.upstream.report()[0]!.live, 0);
    await bench.exchange(OK, sampleForwardable({ method: "POST" }));
    assert.equal(bench.sockets.length, 2);
  });
}

Deno.test("forward() sends a repeatable request again, once, when a kept connection was closed", async () => {
  using bench = new Bench();
  await bench.exchange(OK);
  const stale = bench.socket;
  const answer = bench.forward(sampleForwardable({ method: "PUT", target: "/again" }));
  stale.reset();
  await bench.settle();
  assert.equal(bench.sockets.length, 2);
  assert.match(bench.socket.sentText, /^PUT \/again /);
  bench.socket.push(OK);
  assert.equal((await answer).status, 200);
});

Deno.test("forward() does not send a request a third time", async () => {
  using bench = new Bench();
  await bench.exchange(OK);
  const stale = bench.socket;
  const answer = bench.forward(sampleForwardable());
  stale.end();
  await bench.settle();
  bench.socket.end();
  const error = await failure(answer);
  assert.equal(error.code, "UPSTREAM_CLOSED");
  assert.equal(bench.sockets.length, 2);
});

Deno.test("forward() does not repeat POST, nor anything of which a byte was answered", async () => {
  using bench = new Bench();
  await bench.exchange(OK);
  const post = bench.forward(sampleForwardable({ method: "POST" }));
  bench.socket.end();
  assert.ok(await failure(post) instanceof StaleConnectionError);
  assert.equal(bench.sockets.length, 1);

  await bench.exchange(OK);
  const get = bench.forward(sampleForwardable());
  bench.socket.push("H");
  await bench.settle();
  bench.socket.end();
  assert.ok(!(await failure(get) instanceof StaleConnectionError));
  assert.equal(bench.sockets.length, 2);
});

Deno.test("forward() goes on after partial writes", async () => {
  using bench = new Bench();
  await bench.exchange(OK);
  bench.socket.writing = "few";
  await bench.exchange(OK, sampleForwardable({ target: "/second" }));
  assert.match(bench.socket.sentText, /GET \/second HTTP\/1.1\r\n.*\r\n\r\n$/s);
  await bench.exchange(OK);
  assert.equal(bench.sockets.length, 1);
});

Deno.test("forward() returns the answer of a host that answers and stops reading", async () => {
  using bench = new Bench();
  await bench.exchange(OK);
  bench.socket.writing = "failing";
  const answer = bench.forward(sampleForwardable({ method: "POST" }));
  await bench.settle();
  bench.socket.push("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n");
  assert.equal((await answer).status, 413);
  assert.equal(bench.socket.isClosed, true);
});

Deno.test("forward() gives up soon when a write failed and nothing comes", async () => {
  using bench = new Bench();
  await bench.exchange(OK);
  bench.socket.writing = "failing";
  const answer = failure(bench.forward(sampleForwardable({ method: "POST" })));
  await bench.clock.advance(1_300);
  assert.equal((await answer).code, "UPSTREAM_TIMEOUT");
});

Deno.test("forward() reports a refused connection as UPSTREAM_CONNECT", async () => {
  using bench = new Bench();
  bench.dialling = "refuse";
  const error = await failure(bench.forward(sampleForwardable()));
  assert.equal(error.code, "UPSTREAM_CONNECT");
  assert.match(error.message, /`169\.254\.169\.254:80`/);
  assert.equal(bench.upstream.report()[0]!.live, 0);
});

Deno.test("forward() bounds the time for a connection", async () => {
  using bench = new Bench();
  bench.dialling = "hang";
  const answer = failure(bench.forward(sampleForwardable()));
  await bench.clock.advance(4_900);
  assert.equal(bench.upstream.report()[0]!.live, 1);
  await bench.clock.advance(400);
  assert.equal((await answer).code, "UPSTREAM_TIMEOUT");
  assert.equal(bench.upstream.report()[0]!.live, 0);
});

Deno.test("forward() bounds the time for a head", async () => {
  using bench = new Bench();
  const answer = failure(bench.forward(sampleForwardable()));
  await bench.settle();
  bench.socket.push("HTTP/1.1 200");
  await bench.clock.advance(9_700);
  assert.equal(bench.socket.isClosed, false);
  await bench.clock.advance(600);
  assert.equal((await answer).code, "UPSTREAM_TIMEOUT");
  assert.equal(bench.socket.isClosed, true);
});

Deno.test("forward() bounds the silence within a body, small or streamed", async () => {
  for (const length of [10, 100_000]) {
    using bench = new Bench();
    const answer = bench.forward(sampleForwardable()).then((response) =>
      response.body instanceof ReadableStream ? collect(response.body) : "small"
    );
    const error = failure(answer);
    await bench.settle();
    bench.socket.push(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`);
    await bench.clock.advance(20_000);
    bench.socket.push("x");
    await bench.clock.advance(29_000);
    assert.equal(bench.socket.isClosed, false);
    await bench.clock.advance(1_500);
    assert.equal((await error).code, "UPSTREAM_TIMEOUT");
  }
});

Deno.test("forward() gives a body up that the caller does not take", async () => {
  using bench = new Bench();
  const response = await bench.exchange("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nx");
  await bench.clock.advance(59_000);
  assert.equal(bench.socket.isClosed, false);
  await bench.clock.advance(2_000);
  assert.equal(bench.socket.isClosed, true);
  assert.equal((await failure(collect(response.body))).code, "UPSTREAM_TIMEOUT");
});

Deno.test("forward() closes the connection when the caller cancels the body", async () => {
  using bench = new Bench();
  const response = await bench.exchange("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nx");
  await (response.body as ReadableStream).cancel();
  assert.equal(bench.socket.isClosed, true);
  assert.equal(bench.upstream.report()[0]!.live, 0);
});

Deno.test("an idle connection is closed after its time, and spare ones at once", async () => {
  using bench = new Bench({ idleConnections: 1 });
  const answers = [1, 2].map(() => bench.forward(sampleForwardable()));
  await bench.settle();
  for (const socket of bench.sockets) socket.push(OK);
  await Promise.all(answers);
  assert.deepEqual(bench.sockets.map((socket) => socket.isClosed), [false, true]);
  await bench.clock.advance(61_000);
  assert.equal(bench.sockets[0]!.isClosed, true);
});

Deno.test("forward() waits for a free connection when all are taken, first come first served", async () => {
  using bench = new Bench({ liveConnections: 1 });
  const first = bench.forward(sampleForwardable({ target: "/1" }));
  const second = bench.forward(sampleForwardable({ target: "/2" }));
  const third = bench.forward(sampleForwardable({ target: "/3" }));
  await bench.settle();
  assert.equal(bench.upstream.report()[0]!.waiting, 2);
  bench.socket.push(OK);
  await first;
  await bench.settle();
  assert.match(bench.socket.sentText, /\/2 HTTP.*$/s);
  bench.socket.push("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  await second;
  await bench.settle();
  assert.equal(bench.sockets.length, 2, "a closed connection makes room for a new one");
  assert.match(bench.socket.sentText, /^GET \/3 /);
  bench.socket.push(OK);
  await third;
});

Deno.test("forward() bounds the wait for a connection and the number of those who wait", async () => {
  using bench = new Bench({ liveConnections: 1, waiting: 1, waitMs: 5_000 });
  const first = failure(bench.forward(sampleForwardable()));
  const second = failure(bench.forward(sampleForwardable()));
  const third = failure(bench.forward(sampleForwardable()));
  assert.equal((await third).code, "UPSTREAM_TIMEOUT");
  await bench.clock.advance(5_300);
  assert.equal((await second).code, "UPSTREAM_TIMEOUT");
  assert.equal(bench.socket.isClosed, false);
  bench.upstream.close();
  await first;
});

Deno.test("forward() lets a waiting request dial when a dial before it fails", async () => {
  using bench = new Bench({ liveConnections: 1, connectMs: 1_000 });
  bench.dialling = "hang";
  const first = failure(bench.forward(sampleForwardable()));
  const second = bench.forward(sampleForwardable());
  await bench.settle();
  bench.dialling = "connect";
  await bench.clock.advance(1_300);
  assert.equal((await first).code, "UPSTREAM_TIMEOUT");
  bench.socket.push(OK);
  assert.equal((await second).status, 200);
});

Deno.test("forward() tells once that an answer takes long, and how to give up", async () => {
  using bench = new Bench();
  let told = 0;
  let giveUp = () => {};
  const answer = failure(bench.forward(sampleForwardable(), (way) => {
    told++;
    giveUp = way;
  }));
  await bench.clock.advance(400);
  assert.equal(told, 0);
  await bench.clock.advance(3_000);
  assert.equal(told, 1);
  giveUp();
  assert.equal((await answer).code, "UPSTREAM_CLOSED");
  assert.equal(bench.socket.isClosed, true);
});

Deno.test("forward() gives up no other request than the one that was asked about", async () => {
  using bench = new Bench();
  let giveUp = () => {};
  const first = bench.forward(sampleForwardable(), (way) => giveUp = way);
  await bench.clock.advance(1_000);
  bench.socket.push(OK);
  await first;
  const second = bench.forward(sampleForwardable());
  giveUp();
  bench.socket.push(OK);
  assert.equal((await second).status, 200);
});

Deno.test("forward() says nothing about an answer that comes soon", async () => {
  using bench = new Bench();
  let told = 0;
  const answer = bench.forward(sampleForwardable(), () => told++);
  await bench.clock.advance(300);
  bench.socket.push(OK);
  await answer;
  await bench.clock.advance(5_000);
  assert.equal(told, 0);
});

Deno.test("close() breaks off what runs and what waits, and refuses what comes", async () => {
  using bench = new Bench({ liveConnections: 1 });
  await bench.exchange(OK);
  const running = failure(bench.forward(sampleForwardable()));
  const waiting = failure(bench.forward(sampleForwardable()));
  await bench.settle();
  bench.upstream.close();
  assert.equal((await running).code, "UPSTREAM_CLOSED");
  assert.equal((await waiting).code, "UPSTREAM_CLOSED");
  assert.equal(bench.socket.isClosed, true);
  assert.equal(
    (await failure(bench.forward(sampleForwardable()))).code,
    "UPSTREAM_CLOSED",
  );
});

Deno.test("close() ends a dial and a stream", async () => {
  const bench = new Bench();
  const response = await bench.exchange("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nx");
  bench.dialling = "hang";
  const dialling = failure(bench.forward(sampleForwardable()));
  bench.upstream.close();
  assert.equal((await dialling).code, "UPSTREAM_CONNECT");
  await failure(collect(response.body));
});

// ---- request bodies that stream

/** A body the test feeds. */
function feed(): {
  body: ReadableStream<Uint8Array>;
  controller: ReadableStreamDefaultController<Uint8Array>;
  cancelled: () => boolean;
} {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    cancel: () => void (isCancelled = true),
  });
  return { body, controller, cancelled: () => isCancelled };
}

Deno.test("forward() streams a chunked request body as it comes", async () => {
  using bench = new Bench();
  const { body, controller } = feed();
  const answer = bench.forward(sampleExempt(body, { kind: "chunked" }));
  await bench.settle();
  const head = bench.socket.sentText;
  assert.match(head, /^PUT \/vmAgentLog HTTP\/1.1\r\n.*transfer-encoding: chunked\r\n.*\r\n\r\n$/s);
  controller.enqueue(bytesOf("hello"));
  await bench.settle();
  assert.equal(bench.socket.sentText, head + "5\r\nhello\r\n");
  controller.enqueue(bytesOf(""));
  controller.enqueue(bytesOf("x"));
  controller.close();
  await bench.settle();
  assert.equal(bench.socket.sentText, head + "5\r\nhello\r\n1\r\nx\r\n0\r\n\r\n");
  bench.socket.push(OK);
  assert.equal((await answer).status, 200);
  assert.equal(bench.socket.isClosed, false);
});

Deno.test("forward() streams a request body of declared length as it is", async () => {
  using bench = new Bench();
  const { body, controller } = feed();
  const answer = bench.forward(sampleExempt(body, { kind: "length", bytes: 4 }));
  controller.enqueue(bytesOf("ab"));
  controller.enqueue(bytesOf("cd"));
  controller.close();
  await bench.settle();
  assert.match(bench.socket.sentText, /content-length: 4\r\n.*\r\n\r\nabcd$/s);
  bench.socket.push(OK);
  await answer;
});

for (
  const [what, text] of [["shorter", "ab"], ["longer", "abcdef"]] as const
) {
  Deno.test(`forward() breaks a request body off that is ${what} than announced`, async () => {
    using bench = new Bench();
    const { body, controller } = feed();
    const answer = bench.forward(sampleExempt(body, { kind: "length", bytes: 4 }));
    controller.enqueue(bytesOf(text));
    controller.close();
    await assert.rejects(answer, TypeError);
    assert.equal(bench.socket.isClosed, true);
    assert.doesNotMatch(bench.socket.sentText, /abcdef/);
  });
}

Deno.test("forward() fails with the failure of the request body and breaks the connection off", async () => {
  using bench = new Bench();
  const { body, controller } = feed();
  const answer = bench.forward(sampleExempt(body, { kind: "chunked" }));
  await bench.settle();
  const reason = new Error("the caller left");
  controller.error(reason);
  assert.equal(await answer.catch((error) => error), reason);
  assert.equal(bench.socket.isClosed, true);
  assert.doesNotMatch(bench.socket.sentText, /0\r\n\r\n$/);
});

Deno.test("forward() stops sending when the whole answer is there, and does not use the connection again", async () => {
  using bench = new Bench();
  const { body, controller, cancelled } = feed();
  const answer = bench.forward(sampleExempt(body, { kind: "chunked" }));
  controller.enqueue(bytesOf("a"));
  await bench.settle();
  bench.socket.push("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n");
  assert.equal((await answer).status, 413);
  assert.equal(bench.socket.isClosed, true);
  controller.enqueue(bytesOf("b"));
  await bench.settle();
  assert.equal(cancelled(), true);
  assert.doesNotMatch(bench.socket.sentText, /b\r\n$/);
});

Deno.test("forward() goes on sending while an early answer streams", async () => {
  using bench = new Bench();
  const { body, controller } = feed();
  const answer = bench.forward(sampleExempt(body, { kind: "chunked" }));
  await bench.settle();
  bench.socket.push("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
  const response = await answer;
  controller.enqueue(bytesOf("b"));
  controller.close();
  await bench.settle();
  assert.match(bench.socket.sentText, /1\r\nb\r\n0\r\n\r\n$/);
  await (response.body as ReadableStream).cancel();
});

Deno.test("forward() bounds the time the host takes for a request body, not the caller's", async () => {
  using bench = new Bench();
  const { body, controller } = feed();
  const answer = failure(bench.forward(sampleExempt(body, { kind: "chunked" })));
  await bench.clock.advance(120_000);
  assert.equal(bench.socket.isClosed, false);
  bench.socket.writing = "stalled";
  controller.enqueue(bytesOf("a"));
  await bench.clock.advance(29_000);
  assert.equal(bench.socket.isClosed, false);
  await bench.clock.advance(1_500);
  assert.equal((await answer).code, "UPSTREAM_TIMEOUT");
});

Deno.test("forward() fails soon when the host stops taking a request body", async () => {
  using bench = new Bench();
  const { body, controller, cancelled } = feed();
  const answer = failure(bench.forward(sampleExempt(body, { kind: "chunked" })));
  await bench.settle();
  bench.socket.writing = "failing";
  controller.enqueue(bytesOf("a"));
  await bench.clock.advance(1_300);
  assert.equal((await answer).code, "UPSTREAM_TIMEOUT");
  assert.equal(cancelled(), true);
});
