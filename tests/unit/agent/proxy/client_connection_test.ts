import assert from "node:assert/strict";
import type { Http1Fault, RequestHead } from "../../../../src/agent/http1/mod.ts";
import type { Answer } from "../../../../src/agent/proxy/answer.ts";
import { BufferPool } from "../../../../src/agent/proxy/buffer_pool.ts";
import { ClientConnection, type CutReason } from "../../../../src/agent/proxy/client_connection.ts";
import { PROXY_LIMITS } from "../../../../src/agent/proxy/mod.ts";
import { RefusedError } from "../../../../src/agent/proxy/refusal.ts";
import type { HeaderField } from "../../../../src/domain/wire/mod.ts";
import { Sweeper } from "../../../../src/runtime/sweeper.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { ScriptedSocket } from "../../../fakes/scripted_socket.ts";

const GET = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const text = (bytes: Uint8Array | null) => bytes === null ? null : new TextDecoder().decode(bytes);

/** A connection between a test that sends and a test that serves. */
class Stand {
  readonly clock = new FakeClock();
  readonly socket = new ScriptedSocket();
  readonly served: (RequestHead | Http1Fault)[] = [];
  readonly cut: CutReason[] = [];
  closed = 0;
  isGone = false;
  /** How often it was asked whether the caller is gone. */
  asked = 0;
  /** What a request is answered with at once; `null` leaves it to the test. */
  automatic: Answer | null = answer("ok");
  readonly connection: ClientConnection;

  constructor(buffers = new BufferPool()) {
    this.connection = new ClientConnection({
      peer: { address: "127.128.0.1", port: 1 },
      socket: this.socket,
      limits: PROXY_LIMITS,
      sweeper: new Sweeper(this.clock, PROXY_LIMITS.sweepMs),
      buffers,
      server: {
        serve: (connection, head) => {
          this.served.push(head);
          if (this.automatic !== null) connection.answer(this.automatic);
        },
        isGone: () => {
          this.asked++;
          return this.isGone;
        },
        cut: (reason) => void this.cut.push(reason),
        closed: () => void this.closed++,
      },
    });
    this.connection.start();
  }

  async arrives(data: string | Uint8Array): Promise<void> {
    this.socket.push(data);
    await this.clock.settle();
  }

  get targets(): string[] {
    return this.served.map((head) => typeof head === "string" ? head : head.target);
  }
}

function answer(body: Answer["body"] | string, given: Partial<Answer> = {}): Answer {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const length: HeaderField[] = bytes instanceof Uint8Array
    ? [["content-length", String(bytes.length)]]
    : [];
  return { status: 200, reason: "OK", headers: length, body: bytes, closes: false, ...given };
}

function streamOf(...pieces: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });
}

// ---- requests

Deno.test("ClientConnection serves request after request, in whatever pieces they arrive", async () => {
  const stand = new Stand();
  for (const byte of GET) await stand.arrives(byte);
  assert.equal(stand.socket.sentText, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  await stand.arrives(GET.replace("/a", "/b"));
  assert.deepEqual(stand.targets, ["/a", "/b"]);
  assert.equal(stand.socket.isClosed, false);
  stand.connection.close();
});

Deno.test("ClientConnection hands pipelined requests over one after the other", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives(GET + GET.replace("/a", "/b") + "GET /c HT");
  assert.deepEqual(stand.targets, ["/a"]);
  stand.connection.answer(answer("1"));
  await stand.clock.settle();
  assert.deepEqual(stand.targets, ["/a", "/b"]);
  stand.connection.answer(answer("2"));
  await stand.arrives("TP/1.1\r\n\r\n");
  assert.deepEqual(stand.targets, ["/a", "/b", "/c"]);
  assert.match(stand.socket.sentText, /\r\n\r\n1HTTP.*\r\n\r\n2$/s);
  stand.connection.close();
});

Deno.test("ClientConnection takes blank lines before a request and bare line feeds in it", async () => {
  const stand = new Stand();
  await stand.arrives("\r\n\n\r\nGET /a HTTP/1.1\nHost: h\nX: y \n\nGET /b HTTP/1.1\r\nA: b\n\r\n");
  assert.deepEqual(stand.targets, ["/a", "/b"]);
  const [first, second] = stand.served as RequestHead[];
  assert.deepEqual(first!.headers, [["host", "h"], ["x", "y"]]);
  assert.deepEqual(second!.headers, [["a", "b"]]);
  stand.connection.close();
});

for (
  const [bytes, fault] of [
    ["GET /\r\n\r\n", "START_LINE"],
    ["GET /\r\n", "START_LINE"],
    ["\x16\x03\x01", "START_LINE"],
    ["GET /a HTTP/1.1\r\nA\r\n\r\n", "FIELD"],
    ["GET /a HTTP/1.1\r\nA: b\rc\r\n\r\n", "FIELD"],
    ["GET /a HTTP/1.1\r\nA: b\n c\r\n\r\n", "FIELD"],
    ["GET /a HTTP/1.1\r\n" + "a: b\r\n".repeat(101) + "\r\n", "TOO_MANY_FIELDS"],
    ["GET /a HTTP/1.1\r\na: " + "b".repeat(417_792), "HEAD_TOO_LARGE"],
  ] as [string, Http1Fault][]
) {
  Deno.test(`ClientConnection reports ${fault} for ${JSON.stringify(bytes.slice(0, 30))}, and takes nothing after it`, async () => {
    const stand = new Stand();
    stand.automatic = answer("no", { status: 400, reason: "Bad Request" });
    for (let at = 0; at < bytes.length; at += 100_000) {
      await stand.arrives(bytes.slice(at, at + 100_000));
    }
    await stand.arrives(GET);
    assert.deepEqual(stand.served, [fault]);
    assert.match(stand.socket.sentText, /^HTTP\/1.1 400 .*\r\nconnection: close\r\n\r\nno$/s);
    assert.equal(stand.socket.isWriteClosed, true);
    stand.socket.end();
    await stand.clock.settle();
    assert.equal(stand.closed, 1);
  });
}

Deno.test("ClientConnection reports a head that breaks off, and closes silently where there is none", async () => {
  const half = new Stand();
  await half.arrives("GET /a HT");
  half.socket.end();
  await half.clock.settle();
  assert.deepEqual([half.served, half.closed], [["TRUNCATED"], 1]);
  const silent = new Stand();
  silent.socket.end();
  await silent.clock.settle();
  assert.deepEqual([silent.served, silent.closed], [[], 1]);
  const reset = new Stand();
  await reset.arrives("GET /a HT");
  reset.socket.reset();
  await reset.clock.settle();
  assert.deepEqual([reset.served, reset.closed], [[], 1]);
});

// ---- who closes

for (
  const [what, head, field, staysOpen] of [
    ["1.1", "GET /a HTTP/1.1\r\n\r\n", "", true],
    [
      "1.1 with close",
      "GET /a HTTP/1.1\r\nConnection: x, Close\r\n\r\n",
      "connection: close\r\n",
      false,
    ],
    [
      "1.1 with a field that only begins so",
      "GET /a HTTP/1.1\r\nConnection: closed\r\n\r\n",
      "",
      true,
    ],
    ["1.0", "GET /a HTTP/1.0\r\n\r\n", "connection: close\r\n", false],
    [
      "1.0 with keep-alive",
      "GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
      "connection: keep-alive\r\n",
      true,
    ],
  ] as [string, string, string, boolean][]
) {
  Deno.test(`ClientConnection of ${what} ${staysOpen ? "stays open" : "is closed"}`, async () => {
    const stand = new Stand();
    await stand.arrives(head);
    assert.equal(
      stand.socket.sentText,
      `HTTP/${what.slice(0, 3)} 200 OK\r\ncontent-length: 2\r\n${field}\r\nok`,
    );
    assert.equal(stand.closed, staysOpen ? 0 : 1);
    stand.connection.close();
  });
}

Deno.test("ClientConnection closes after an answer that says so, and says so", async () => {
  const stand = new Stand();
  stand.automatic = answer("ok", { closes: true });
  await stand.arrives(GET);
  assert.match(stand.socket.sentText, /connection: close\r\n\r\nok$/);
  assert.equal(stand.closed, 1);
});

Deno.test("ClientConnection adds nothing to a 101 and closes", async () => {
  const stand = new Stand();
  stand.automatic = answer(null, {
    status: 101,
    reason: "Switching Protocols",
    headers: [["connection", "upgrade"]],
    closes: true,
  });
  await stand.arrives(GET);
  assert.equal(
    stand.socket.sentText,
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n",
  );
  assert.equal(stand.closed, 1);
});

Deno.test("ClientConnection serves a caller that says at once that it sends no more", async () => {
  const stand = new Stand();
  stand.automatic = null;
  stand.socket.push(GET + GET);
  stand.socket.end();
  await stand.clock.settle();
  stand.connection.answer(answer("1"));
  await stand.clock.settle();
  stand.connection.answer(answer("2"));
  await stand.clock.settle();
  assert.match(stand.socket.sentText, /1HTTP.*2$/s);
  assert.equal(stand.closed, 1);
});

Deno.test("ClientConnection drain() closes an idle connection at once and a busy one after its answer", async () => {
  const idle = new Stand();
  idle.connection.drain();
  assert.equal(idle.closed, 1);
  const busy = new Stand();
  busy.automatic = null;
  await busy.arrives(GET + GET);
  busy.connection.drain();
  assert.equal(busy.closed, 0);
  busy.connection.answer(answer("ok"));
  await busy.clock.settle();
  assert.match(busy.socket.sentText, /connection: close\r\n\r\nok$/);
  busy.socket.end();
  await busy.clock.settle();
  assert.deepEqual([busy.served.length, busy.closed], [1, 1]);
  const late = new Stand();
  late.automatic = null;
  await late.arrives("GET /a HTTP/1.1\r\n\r\n");
  late.connection.drain();
  late.connection.answer(answer("ok"));
  await late.clock.settle();
  assert.equal(late.closed, 1);
});

Deno.test("ClientConnection reads over what a refused caller still sends, for a while and so much", async () => {
  const patient = new Stand();
  patient.automatic = answer("no", { status: 413, reason: "Payload Too Large", closes: true });
  await patient.arrives(GET + "rest");
  await patient.arrives("more");
  assert.deepEqual([patient.closed, patient.socket.isWriteClosed], [0, true]);
  await patient.clock.advance(PROXY_LIMITS.lingerMs + PROXY_LIMITS.sweepMs);
  assert.equal(patient.closed, 1);
  const endless = new Stand();
  endless.automatic = patient.automatic;
  await endless.arrives(GET + "rest");
  for (let i = 0; i < 300; i++) await endless.arrives(new Uint8Array(4_096));
  assert.equal(endless.closed, 1);
});

// ---- bodies

Deno.test("ClientConnection nextPiece() gives a body out, and the next request follows it", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives("POST /a HTTP/1.1\r\n\r\nhe");
  stand.connection.expectBody({ kind: "length", bytes: 5 }, false);
  assert.equal(text(await stand.connection.nextPiece()), "he");
  const next = stand.connection.nextPiece();
  await stand.arrives("llo" + GET);
  assert.equal(text(await next), "llo");
  assert.equal(await stand.connection.nextPiece(), null);
  stand.connection.answer(answer("ok"));
  await stand.clock.settle();
  assert.deepEqual(stand.targets, ["/a", "/a"]);
  assert.equal(stand.socket.isClosed, false);
  stand.connection.close();
});

Deno.test("ClientConnection nextPiece() takes chunks apart and trailers away", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives("POST /a HTTP/1.1\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nt: u\r\n\r\n");
  stand.connection.expectBody({ kind: "chunked" }, false);
  assert.equal(text(await stand.connection.nextPiece()), "hello");
  assert.equal(await stand.connection.nextPiece(), null);
  stand.connection.close();
});

Deno.test("ClientConnection asks for a body only when it is read, and only where the caller waits", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives("POST /a HTTP/1.1\r\n\r\n");
  stand.connection.expectBody({ kind: "length", bytes: 2 }, true);
  await stand.clock.settle();
  assert.equal(stand.socket.sent.length, 0);
  const piece = stand.connection.nextPiece();
  await stand.clock.settle();
  assert.match(stand.socket.sentText, /^HTTP\/1.1 100 Continue\r\n\r\n$/);
  await stand.arrives("hi");
  assert.equal(text(await piece), "hi");
  stand.connection.answer(answer("ok"));
  await stand.clock.settle();
  await stand.arrives("POST /b HTTP/1.1\r\n\r\nx");
  stand.connection.expectBody({ kind: "length", bytes: 2 }, true);
  assert.equal(text(await stand.connection.nextPiece()), "x");
  const rest = stand.connection.nextPiece();
  await stand.arrives("y");
  assert.equal(text(await rest), "y");
  assert.equal(stand.socket.sentText.split("100 Continue").length, 2);
  stand.connection.close();
});

Deno.test("ClientConnection closes after an answer to a request whose body was left unread", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives("POST /a HTTP/1.1\r\n\r\n");
  stand.connection.expectBody({ kind: "length", bytes: 9 }, true);
  stand.connection.answer(answer("no", { status: 403, reason: "Forbidden" }));
  await stand.arrives(GET);
  assert.equal(
    stand.socket.sentText,
    "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno",
  );
  assert.equal(stand.served.length, 1);
  stand.connection.close();
});

for (
  const [what, framing, bytes, ends] of [
    ["is shorter than announced", { kind: "length", bytes: 5 }, "abc", true],
    ["ends within a chunk", { kind: "chunked" }, "5\r\nab", true],
    ["has a malformed chunk", { kind: "chunked" }, "x\r\n", false],
  ] as const
) {
  Deno.test(`ClientConnection nextPiece() fails for a body that ${what}`, async () => {
    const stand = new Stand();
    stand.automatic = null;
    await stand.arrives("POST /a HTTP/1.1\r\n\r\n" + bytes);
    if (ends) stand.socket.end();
    stand.connection.expectBody(framing, false);
    await assert.rejects(async () => {
      while (await stand.connection.nextPiece() !== null);
    }, (error) => error instanceof RefusedError && error.refusal.reason === "body-incomplete");
    stand.connection.close();
  });
}

// ---- answers

Deno.test("ClientConnection sends a whole answer in one write and copes with short ones", async () => {
  const stand = new Stand();
  await stand.arrives(GET);
  assert.equal(stand.socket.sent.length, 1);
  stand.socket.writing = "few";
  await stand.arrives(GET);
  assert.equal(
    stand.socket.sentText.split("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").length,
    3,
  );
  stand.connection.close();
});

Deno.test("ClientConnection has a copy of a whole body, and sends bytes above ASCII as they are", async () => {
  const stand = new Stand();
  const body = new Uint8Array(10_000).fill(65);
  stand.automatic = answer(body, { headers: [["x", "\xe9\xff"], ["content-length", "10000"]] });
  stand.socket.push(GET);
  await stand.clock.settle();
  body.fill(66);
  const sent = stand.socket.sent[0]!;
  assert.deepEqual(sent.slice(20, 22), new Uint8Array([0xe9, 0xff]));
  assert.equal(sent.subarray(-10_000).every((byte) => byte === 65), true);
  stand.connection.close();
});

Deno.test("ClientConnection streams: chunked, of stated length, and to the end for old callers", async () => {
  const sent = async (head: string, headers: HeaderField[]) => {
    const stand = new Stand();
    stand.automatic = answer(streamOf("ab", "", "cde"), { headers });
    await stand.arrives(head);
    await stand.clock.settle();
    assert.equal(stand.socket.noDelay, true);
    stand.connection.close();
    return stand.socket.sentText.slice("HTTP/1.1 200 OK\r\n".length);
  };
  assert.equal(
    await sent(GET, []),
    "transfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
  );
  assert.equal(await sent(GET, [["content-length", "5"]]), "content-length: 5\r\n\r\nabcde");
  const old = "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  assert.equal(await sent(old, []), "connection: close\r\n\r\nabcde");
  assert.equal(
    await sent(old, [["content-length", "5"]]),
    "content-length: 5\r\nconnection: keep-alive\r\n\r\nabcde",
  );
});

Deno.test("ClientConnection serves the next request after a stream, and gives its buffers back then", async () => {
  const pool = new BufferPool();
  const own = pool.take();
  pool.give(own.read, own.write);
  const stand = new Stand(pool);
  stand.automatic = answer(streamOf("ab"));
  await stand.arrives(GET);
  await stand.clock.settle();
  stand.automatic = answer("ok", { closes: true });
  await stand.arrives(GET);
  assert.match(stand.socket.sentText, /0\r\n\r\nHTTP.*ok$/s);
  assert.equal(stand.closed, 1);
  assert.equal(pool.take().write, own.write);
  pool.give(own.read, own.write);
  const stalled = new Stand(pool);
  stalled.socket.writing = "stalled";
  stalled.automatic = answer(streamOf("ab"));
  await stalled.arrives(GET);
  stalled.connection.close();
  assert.notEqual(pool.take().write, own.write, "the system may still read from it");
});

Deno.test("ClientConnection breaks off when a stream fails, and cancels one that cannot be sent", async () => {
  const failing = new Stand();
  failing.automatic = answer(
    new ReadableStream({ pull: (controller) => controller.error(new Error("the host broke off")) }),
  );
  await failing.arrives(GET);
  await failing.clock.settle();
  assert.deepEqual([failing.closed, failing.socket.sentText.endsWith("0\r\n\r\n")], [1, false]);
  let cancelled = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(10)),
      cancel: () => void cancelled++,
    });
  const broken = new Stand();
  broken.socket.writing = "failing";
  broken.automatic = answer(endless());
  await broken.arrives(GET);
  await broken.clock.settle();
  assert.deepEqual([broken.closed, cancelled], [1, 1]);
  const late = new Stand();
  late.automatic = null;
  await late.arrives(GET);
  late.connection.close();
  late.connection.answer(answer(endless()));
  await late.clock.settle();
  assert.equal(cancelled, 2);
});

// ---- time limits

Deno.test("ClientConnection is cut when its head is not complete in time, however often something drips", async () => {
  const stand = new Stand();
  await stand.clock.advance(20_000);
  await stand.arrives("GET /a HTTP/1.1\r\n");
  for (let second = 0; second < 29; second++) {
    await stand.arrives("x");
    await stand.clock.advance(1_000);
  }
  assert.equal(stand.closed, 0);
  await stand.clock.advance(1_500);
  assert.deepEqual([stand.cut, stand.closed, stand.served], [["head-not-complete"], 1, []]);
});

Deno.test("ClientConnection gives each head a time of its own", async () => {
  const stand = new Stand();
  await stand.arrives("GET /a HT");
  await stand.clock.advance(20_000);
  await stand.arrives("TP/1.1\r\n\r\n");
  await stand.clock.advance(5_000);
  await stand.arrives("GET /b HT");
  await stand.clock.advance(29_000);
  assert.equal(stand.closed, 0);
  await stand.clock.advance(1_500);
  assert.deepEqual(stand.cut, ["head-not-complete"]);
});

Deno.test("ClientConnection does not blame a caller for a body that the server is slow to take", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives("PUT /a HTTP/1.1\r\n\r\n");
  stand.connection.expectBody({ kind: "length", bytes: 4 }, false);
  const first = stand.connection.nextPiece();
  await stand.arrives("ab");
  assert.equal(text(await first), "ab");
  await stand.clock.advance(2 * PROXY_LIMITS.bodyIdleMs);
  await stand.arrives("cd");
  assert.equal(text(await stand.connection.nextPiece()), "cd");
  stand.connection.close();
});

Deno.test("ClientConnection leaves nothing behind that is looked at", async () => {
  const stand = new Stand();
  assert.equal(stand.clock.sleeping, 1);
  stand.connection.close();
  await stand.clock.advance(2 * PROXY_LIMITS.sweepMs);
  assert.equal(stand.clock.sleeping, 0);
});

Deno.test("ClientConnection times a head that arrived behind another request by itself", async () => {
  const stand = new Stand();
  await stand.arrives(GET + "GET /b");
  await stand.clock.advance(30_500);
  assert.deepEqual(stand.cut, ["head-not-complete"]);
});

Deno.test("ClientConnection is cut when it is idle, before and after requests", async () => {
  const silent = new Stand();
  await silent.clock.advance(119_000);
  assert.equal(silent.closed, 0);
  await silent.clock.advance(1_500);
  assert.deepEqual([silent.cut, silent.closed], [["idle"], 1]);
  const used = new Stand();
  await used.clock.advance(100_000);
  await used.arrives(GET);
  await used.clock.advance(119_000);
  assert.equal(used.closed, 0);
  await used.clock.advance(1_500);
  assert.deepEqual(used.cut, ["idle"]);
});

Deno.test("ClientConnection is not cut while a request is served", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives(GET);
  await stand.clock.advance(600_000);
  stand.connection.answer(answer("ok"));
  await stand.clock.settle();
  assert.match(stand.socket.sentText, /ok$/);
  stand.connection.close();
});

Deno.test("ClientConnection is cut when its caller does not take the answer", async () => {
  for (const body of ["ok", streamOf("ab")]) {
    const stand = new Stand();
    stand.socket.writing = "stalled";
    stand.automatic = answer(body);
    await stand.arrives(GET);
    await stand.clock.advance(PROXY_LIMITS.stalledCallerMs - 1_000);
    assert.equal(stand.closed, 0);
    await stand.clock.advance(1_500);
    assert.deepEqual([stand.cut, stand.closed], [["answer-not-taken"], 1]);
  }
});

Deno.test("ClientConnection nextPiece() bounds the pause within a body", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives("POST /a HTTP/1.1\r\n\r\n");
  stand.connection.expectBody({ kind: "length", bytes: 2 }, false);
  const piece = stand.connection.nextPiece();
  const failed = assert.rejects(
    piece,
    (error) => error instanceof RefusedError && error.refusal.status === 408,
  );
  await stand.clock.advance(PROXY_LIMITS.bodyIdleMs + 500);
  await failed;
  stand.connection.answer(answer("no", { status: 408, reason: "Request Timeout", closes: true }));
  await stand.clock.settle();
  assert.match(stand.socket.sentText, /^HTTP\/1.1 408/);
  stand.connection.close();
});

// ---- callers that leave

Deno.test("ClientConnection whenGone() tells a caller that left from one that only said everything", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives(GET);
  let gone = 0;
  stand.connection.whenGone(() => gone++);
  stand.socket.end();
  await stand.clock.advance(5_000);
  assert.deepEqual([gone, stand.connection.hasLeft], [0, false]);
  stand.isGone = true;
  assert.equal(stand.connection.hasLeft, true);
  await stand.clock.advance(2_000);
  assert.equal(gone, 1);
  stand.connection.close();
  assert.equal(gone, 1);
});

Deno.test("ClientConnection asks once a second whether a caller is gone, and nobody after the answer", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives(GET);
  let gone = 0;
  stand.connection.whenGone(() => gone++);
  stand.socket.end();
  await stand.clock.advance(5_000);
  assert.ok(stand.asked > 3 && stand.asked < 7, `${stand.asked} times`);
  stand.connection.answer(answer("ok"));
  stand.isGone = true;
  await stand.clock.advance(5_000);
  assert.deepEqual([gone, stand.closed], [0, 1]);
});

Deno.test("ClientConnection whenGone() hears of a reset and of a close at once", async () => {
  const reset = new Stand();
  reset.automatic = null;
  await reset.arrives(GET);
  let gone = 0;
  reset.connection.whenGone(() => gone++);
  reset.socket.reset();
  await reset.clock.settle();
  assert.deepEqual([gone, reset.connection.hasLeft], [1, true]);
  reset.connection.whenGone(() => gone++);
  assert.equal(gone, 2);
  reset.connection.close();
  const closed = new Stand();
  closed.automatic = null;
  await closed.arrives(GET);
  closed.connection.whenGone(() => gone++);
  closed.connection.close();
  closed.connection.whenGone(() => gone++);
  assert.equal(gone, 4);
});

Deno.test("ClientConnection keeps what comes early while its caller is watched", async () => {
  const stand = new Stand();
  stand.automatic = null;
  await stand.arrives(GET);
  stand.connection.whenGone(() => {});
  await stand.arrives(GET.replace("/a", "/b"));
  assert.deepEqual(stand.targets, ["/a"]);
  stand.connection.answer(answer("ok"));
  await stand.clock.settle();
  assert.deepEqual(stand.targets, ["/a", "/b"]);
  stand.connection.close();
});

Deno.test("ClientConnection gives its buffers back, unless the runtime may still use them", async () => {
  const pool = new BufferPool();
  const first = pool.take();
  pool.give(first.read, first.write);
  const used = new Stand(pool);
  await used.arrives(GET + GET + "GET");
  used.automatic = null;
  used.connection.close(); // while it reads
  assert.notEqual(pool.take().write, first.write);
  const other = pool.take();
  pool.give(other.read, other.write);
  const clean = new Stand(pool);
  await clean.arrives("GET /a HTTP/1.0\r\n\r\n");
  assert.equal(clean.closed, 1);
  const again = pool.take();
  assert.equal(again.write, other.write);
  assert.equal(again.read.length, 0);
});
