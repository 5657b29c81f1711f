import type { Attribution } from "../../domain/identity/mod.ts";
import type { BodyFraming, SocketAddress } from "../../domain/wire/mod.ts";
import type { Sweeper, Watched } from "../../runtime/sweeper.ts";
import type { ResolvedCaller } from "../caller/mod.ts";
import {
  type BodyDecoder,
  bodyDecoder,
  encodeChunk,
  encodeResponseInto,
  findRequestEnd,
  HEAD_LIMITS,
  type Http1Fault,
  isHopeless,
  lastChunk,
  parseRequestHead,
  type ReadBuffer,
  type RequestHead,
  skipBlankLines,
} from "../http1/mod.ts";
import type { Answer } from "./answer.ts";
import type { BufferPool } from "./buffer_pool.ts";
import type { ProxyLimits } from "./limits.ts";
import { refusal, RefusedError } from "./refusal.ts";

/** The part of an accepted TCP connection that is used here. */
export interface ClientSocket {
  /** @returns bytes read, `null` at the end */
  read(into: Uint8Array): Promise<number | null>;
  /** @returns bytes written */
  write(bytes: Uint8Array): Promise<number>;
  /** Says that nothing more will come. */
  closeWrite(): Promise<void>;
  setNoDelay(isSet: boolean): void;
  close(): void;
}

/** Who serves the requests of a connection. Each request is answered once, by `ClientConnection.answer()`. */
export interface RequestServer {
  /** A request's head arrived, or bytes that are none. Never throws. */
  serve(connection: ClientConnection, head: RequestHead | Http1Fault): void;
  /** Whether the system knows that the other end of the connection does not exist any more. */
  isGone(connection: ClientConnection): boolean;
  /** The connection ran into a time limit. */
  cut(reason: CutReason): void;
  /** The connection is closed. */
  closed(connection: ClientConnection): void;
}

export interface ClientConnectionOptions {
  readonly peer: SocketAddress;
  readonly socket: ClientSocket;
  readonly server: RequestServer;
  readonly limits: ProxyLimits;
  readonly sweeper: Sweeper;
  readonly buffers: BufferPool;
}

/** A target as received and in its canonical spelling; `null` where it has none. */
export interface CanonicalTarget {
  readonly method: string;
  readonly target: string;
  readonly text: string | null;
}

/** Why a connection was cut. */
export type CutReason = "head-not-complete" | "idle" | "answer-not-taken";

/**
 * `head`: waits for a request. `serving`: one is with the server. `answering`: its answer is being written.
 * `lingering`: everything was said, and what the peer still says is read over until it closes.
 */
type State = "head" | "serving" | "answering" | "lingering" | "closed";

/** Bytes of a body that are received at once. */
const BODY_READ_BYTES = 65_536;
/** Bytes that are read over at the end of a connection. */
const LINGER_BYTES = 1_048_576;
/** How often a peer that has ended its side is looked for while its request is served. */
const LOOK_MS = 1_000;

/**
 * One connection of a caller, from accept to close: reads requests, hands them to the server one after the other, writes
 * the answers. Every state has a time limit, so that nobody holds a connection for nothing.
 *
 * While a request is served nothing is read but its body, until the answer takes long: then a caller who leaves is noticed.
 * INVARIANT: nothing is taken from the buffer, and its array stays, while a read into it is under way, unless it was empty.
 */
export class ClientConnection implements Watched {
  /** Who connected, as far as it was asked. The server's. */
  attribution: Attribution | null = null;
  /** The caller behind it, once it was looked up. The server's. */
  resolved: ResolvedCaller | null = null;
  /** The canonical spelling of the last target: most callers ask for one thing again and again. The server's. */
  canonicalTarget: CanonicalTarget | null = null;
  readonly peer: SocketAddress;
  readonly #socket: ClientSocket;
  readonly #server: RequestServer;
  readonly #limits: ProxyLimits;
  readonly #sweeper: Sweeper;
  readonly #buffers: BufferPool;
  readonly #buffer: ReadBuffer;

  #state: State = "head";
  #dueMs: number;
  /** When the head that is arriving began; `Infinity` before its first byte. */
  #headSinceMs = Infinity;
  #scannedTo = 0;
  /** Whether a read is under way. */
  #isReading = false;
  /** The peer says nothing any more. */
  #hasEnded = false;
  /** The connection is broken: nothing that is written arrives. */
  #isBroken = false;
  /** Whether this is the last request, whoever says so. */
  #isLast = false;
  #head: RequestHead | null = null;
  #decoder: BodyDecoder | null = null;
  #wantsContinue = false;
  /** How often more of the body had to be waited for. */
  #refills = 0;
  #bodyWaiter: BodyWaiter | null = null;
  #whenGone: (() => void) | null = null;
  readonly #out: Uint8Array<ArrayBuffer>;
  #unwritten: Uint8Array = EMPTY;
  /** Whether a write is under way. */
  #isWriting = false;
  #lingered = 0;
  #isDraining = false;

  constructor(options: ClientConnectionOptions) {
    this.peer = options.peer;
    this.#socket = options.socket;
    this.#server = options.server;
    this.#limits = options.limits;
    this.#sweeper = options.sweeper;
    this.#buffers = options.buffers;
    const { read, write } = this.#buffers.take();
    this.#buffer = read;
    this.#out = write;
    this.#dueMs = this.#sweeper.nowMs() + this.#limits.idleMs;
  }

  get dueMs(): number {
    return this.#dueMs;
  }

  /** Whether nobody waits for an answer here any more. */
  get hasLeft(): boolean {
    if (this.#state === "closed" || this.#isBroken) return true;
    return this.#hasEnded && this.#server.isGone(this);
  }

  /** Begins to read. */
  start(): void {
    this.#sweeper.add(this);
    this.#read();
  }

  /** Takes no further request; a connection without one closes now. */
  drain(): void {
    this.#isDraining = true;
    this.#isLast = true;
    if (this.#state === "head") this.close();
  }

  /** Breaks off, whatever is going on. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#sweeper.remove(this);
    try {
      this.#socket.close();
    } catch {
      // The runtime closed it already.
    }
    this.#bodyWaiter?.reject(incomplete());
    this.#bodyWaiter = null;
    this.#whenGone?.();
    this.#whenGone = null;
    // What the runtime may still write into or read from is not given to anybody else.
    if (!this.#isReading && !this.#isWriting) this.#buffers.give(this.#buffer, this.#out);
    this.#server.closed(this);
  }

  expire(nowMs: number): void {
    switch (this.#state) {
      case "head":
        this.#server.cut(this.#headSinceMs === Infinity ? "idle" : "head-not-complete");
        return this.close();
      case "serving":
        if (this.#bodyWaiter === null) return this.#look(nowMs);
        this.#isLast = true;
        this.#bodyWaiter.reject(timedOut(this.#limits.bodyIdleMs));
        this.#bodyWaiter = null;
        return;
      case "answering":
        this.#server.cut("answer-not-taken");
        return this.close();
      default:
        return this.close();
    }
  }

  // ---- for the server, while a request is served

  /** Calls `gone` once, when the caller does not wait for the answer any more; at once when that is known already. */
  whenGone(gone: () => void): void {
    if (this.#state === "closed" || this.#isBroken) return gone();
    this.#whenGone = gone;
    if (this.#hasEnded) this.#look(this.#sweeper.nowMs());
    else if (this.#decoder === null && this.#buffer.length === 0) this.#read();
  }

  /** Says how the body of the request that is being served ends, before it is read. */
  expectBody(framing: BodyFraming, wantsContinue: boolean): void {
    if (framing.kind === "none") return;
    const decoder = bodyDecoder(framing);
    if (decoder.done) return;
    this.#decoder = decoder;
    this.#wantsContinue = wantsContinue;
    this.#refills = 0;
  }

  /**
   * The next piece of the body, `null` at its end. Asks the caller to send it, where it waits to be asked.
   * @throws RefusedError body-timeout, body-incomplete
   */
  async nextPiece(): Promise<Uint8Array<ArrayBuffer> | null> {
    for (;;) {
      const decoder = this.#decoder;
      if (decoder === null) return null;
      const piece = this.#takePiece(decoder);
      if (decoder.done) this.#decoder = null;
      if (piece.length > 0) return piece;
      if (decoder.done) return null;
      if (this.#hasEnded || this.#state === "closed") throw incomplete();
      if (this.#wantsContinue) await this.#sayContinue();
      await this.#more();
    }
  }

  /** Answers the request. A whole body has been taken when this returns; a stream is cancelled when it cannot be sent. */
  answer(answer: Answer): void {
    if (this.#state !== "serving") {
      if (answer.body instanceof ReadableStream) answer.body.cancel().catch(() => {});
      return;
    }
    this.#state = "answering";
    this.#whenGone = null;
    this.#dueMs = this.#sweeper.nowMs() + this.#limits.stalledCallerMs;
    const { body } = answer;
    const version = this.#head?.version ?? "1.1";
    const isOld = version === "1.0";
    const framing = body instanceof ReadableStream ? framingOfStream(answer, isOld) : null;
    const whole = body instanceof ReadableStream ? null : body;
    // What was not read of a body stands between this request and the next one.
    const isCutOff = this.#decoder !== null || framing === "until-close";
    if (answer.closes || this.#isDraining || isCutOff) this.#isLast = true;
    const extra = connectionFields(answer.status, this.#isLast, isOld, framing);
    const bytes = encodeResponseInto(
      this.#out,
      version,
      answer.status,
      answer.reason,
      answer.headers,
      extra,
      whole,
    );
    if (body instanceof ReadableStream) this.#stream(bytes, body, framing === "chunked");
    else this.#write(bytes);
  }

  // ---- reading

  #read(): void {
    if (this.#isReading || this.#hasEnded) return;
    const { length, maxBytes } = this.#buffer;
    if (length >= maxBytes) return;
    this.#isReading = true;
    this.#socket.read(this.#buffer.space()).then(this.#received, this.#readFailed);
  }

  readonly #received = (count: number | null): void => {
    this.#isReading = false;
    if (this.#state === "closed") return;
    if (count === null) this.#hasEnded = true;
    else this.#buffer.filled(count);
    this.#goOn();
  };

  readonly #readFailed = (): void => {
    this.#isReading = false;
    if (this.#state === "closed") return;
    this.#hasEnded = true;
    this.#isBroken = true;
    this.#goOn();
  };

  /** Something arrived, or the peer ended. */
  #goOn(): void {
    switch (this.#state) {
      case "head":
        return this.#takeHead();
      case "lingering":
        return this.#readOver();
      default: {
        const waiter = this.#bodyWaiter;
        this.#bodyWaiter = null;
        if (waiter !== null) return waiter.resolve();
        if (this.#hasEnded && this.#whenGone !== null) this.#look(this.#sweeper.nowMs());
      }
    }
  }

  /** Hands the next request over, when its head is complete. */
  #takeHead(): void {
    const buffer = this.#buffer;
    if (this.#scannedTo === 0) buffer.take(skipBlankLines(buffer.bytes, buffer.start, buffer.end));
    if (buffer.length === 0) {
      if (this.#hasEnded) return this.close();
      return this.#read();
    }
    const end = findRequestEnd(buffer.bytes, buffer.start + this.#scannedTo, buffer.end);
    if (end === -1) return this.#headPartial();
    const head = parseRequestHead(buffer.bytes, buffer.start, end, HEAD_LIMITS, true);
    buffer.take(end - buffer.start);
    this.#serve(head.ok ? head.value : head.error);
  }

  #headPartial(): void {
    const buffer = this.#buffer;
    if (this.#isBroken) return this.close();
    if (buffer.length >= HEAD_LIMITS.headBytes) return this.#serve("HEAD_TOO_LARGE");
    if (this.#hasEnded) return this.#serve("TRUNCATED");
    if (isHopeless(buffer.bytes, buffer.start, buffer.end)) return this.#serve("START_LINE");
    if (this.#headSinceMs === Infinity) {
      this.#headSinceMs = this.#sweeper.nowMs();
      this.#dueMs = this.#headSinceMs + this.#limits.headMs;
    }
    // A blank line may be half there.
    this.#scannedTo = Math.max(0, buffer.length - 3);
    this.#read();
  }

  #serve(head: RequestHead | Http1Fault): void {
    this.#state = "serving";
    this.#dueMs = Infinity;
    this.#headSinceMs = Infinity;
    this.#scannedTo = 0;
    if (typeof head === "string") {
      // Where the next request would begin is not known.
      this.#head = null;
      this.#isLast = true;
    } else {
      this.#head = head;
      this.#isLast = this.#isDraining || isLastRequest(head);
    }
    this.#server.serve(this, head);
  }

  // ---- the body

  /** What has arrived of the body. */
  #takePiece(decoder: BodyDecoder): Uint8Array<ArrayBuffer> {
    const buffer = this.#buffer;
    const { bytes, start, end } = buffer;
    if (start === end) return EMPTY;
    this.#wantsContinue = false;
    const runs: Uint8Array<ArrayBuffer>[] = [];
    const taken = decoder.decode(bytes, start, end, (from, to) => {
      runs.push(bytes.slice(from, to));
    });
    if (!taken.ok) throw malformed();
    buffer.take(taken.value - start);
    return runs.length === 1 ? runs[0]! : joined(runs);
  }

  async #sayContinue(): Promise<void> {
    let bytes: Uint8Array = CONTINUE.slice();
    try {
      while (bytes.length > 0) bytes = bytes.subarray(await this.#socket.write(bytes));
    } catch {
      throw incomplete();
    }
  }

  /** Waits for more of the body. */
  #more(): Promise<void> {
    // A long body is worth a larger buffer.
    if (this.#refills++ > 0 && !this.#isReading) this.#buffer.reserve(BODY_READ_BYTES);
    this.#dueMs = this.#sweeper.nowMs() + this.#limits.bodyIdleMs;
    return new Promise((resolve, reject) => {
      this.#bodyWaiter = { resolve, reject };
      this.#read();
    });
  }

  // ---- a caller that leaves

  /** The peer ended its side. Whether it is still there to be answered, the system knows. */
  #look(nowMs: number): void {
    if (!this.#hasEnded || this.#whenGone === null) {
      this.#dueMs = Infinity;
    } else if (this.#isBroken || this.#server.isGone(this)) {
      const gone = this.#whenGone;
      this.#whenGone = null;
      gone();
    } else {
      this.#dueMs = nowMs + LOOK_MS;
    }
  }

  // ---- writing

  #write(bytes: Uint8Array): void {
    this.#unwritten = bytes;
    this.#isWriting = true;
    this.#socket.write(bytes).then(this.#written, this.#writeFailed);
  }

  readonly #written = (count: number): void => {
    this.#isWriting = false;
    if (this.#state === "closed") return;
    if (count < this.#unwritten.length) this.#write(this.#unwritten.subarray(count));
    else this.#next();
  };

  readonly #writeFailed = (): void => this.close();

  async #stream(
    head: Uint8Array,
    body: ReadableStream<Uint8Array>,
    isChunked: boolean,
  ): Promise<void> {
    const reader = body.getReader();
    this.#isWriting = true;
    try {
      this.#socket.setNoDelay(true);
      await this.#writeAll(head);
      for (;;) {
        this.#dueMs = Infinity; // the host's silence is the upstream's to time
        const { done, value } = await reader.read();
        if (done) break;
        await this.#writeAll(isChunked ? encodeChunk(value) : value);
      }
      if (isChunked) await this.#writeAll(lastChunk());
      this.#isWriting = false;
      this.#next();
    } catch (error) {
      // In the middle of a body only the end of the connection can tell the caller.
      reader.cancel(error).catch(() => {});
      this.close();
    }
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    this.#dueMs = this.#sweeper.nowMs() + this.#limits.stalledCallerMs;
    for (let at = 0; at < bytes.length;) {
      if (this.#state === "closed") throw incomplete();
      at += await this.#socket.write(bytes.subarray(at));
    }
  }

  /** The answer is out: on to the next request, or the end. */
  #next(): void {
    if (this.#state === "closed") return;
    if (this.#isLast) return this.#linger();
    this.#state = "head";
    this.#dueMs = this.#sweeper.nowMs() + this.#limits.idleMs;
    if (this.#buffer.length > 0) return this.#takeHead();
    if (this.#hasEnded) return this.close();
    if (!this.#isReading) this.#buffer.release();
    this.#read();
  }

  /**
   * Ends the connection. Closing while the peer still sends would have the system take the answer back, so where that may
   * be, only the writing side is closed and the rest is read over, for a moment.
   */
  #linger(): void {
    const mayBeSending = this.#decoder !== null || this.#buffer.length > 0 || this.#head === null;
    if (this.#hasEnded || !mayBeSending) return this.close();
    this.#state = "lingering";
    this.#dueMs = this.#sweeper.nowMs() + this.#limits.lingerMs;
    this.#buffer.take(this.#buffer.length);
    this.#socket.closeWrite().then(() => this.#read(), () => this.close());
  }

  #readOver(): void {
    this.#lingered += this.#buffer.length;
    this.#buffer.take(this.#buffer.length);
    if (this.#hasEnded || this.#lingered > LINGER_BYTES) return this.close();
    this.#read();
  }
}

interface BodyWaiter {
  resolve(): void;
  reject(error: RefusedError): void;
}

const EMPTY = new Uint8Array();
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

function incomplete(): RefusedError {
  return new RefusedError(refusal(400, "body-incomplete", "the body broke off"));
}

function malformed(): RefusedError {
  return new RefusedError(refusal(400, "body-incomplete", "the body's chunks are malformed"));
}

function timedOut(idleMs: number): RefusedError {
  return new RefusedError(refusal(408, "body-timeout", `the body paused for ${idleMs} ms`));
}

function joined(runs: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(runs.reduce((sum, run) => sum + run.length, 0));
  let at = 0;
  for (const run of runs) {
    whole.set(run, at);
    at += run.length;
  }
  return whole;
}

const CLOSE = /(?:^|,)\s*close\s*(?:,|$)/i;
const KEEP_ALIVE = /(?:^|,)\s*keep-alive\s*(?:,|$)/i;

/** Whether the caller says that it sends nothing else on this connection. Source: RFC 9112 9.3. */
function isLastRequest(head: RequestHead): boolean {
  let keepsAlive = head.version === "1.1";
  for (let i = 0; i < head.headers.length; i++) {
    const field = head.headers[i]!;
    if (field[0] !== "connection") continue;
    if (CLOSE.test(field[1])) return true;
    if (KEEP_ALIVE.test(field[1])) keepsAlive = true;
  }
  return !keepsAlive;
}

type StreamFraming = "length" | "chunked" | "until-close";

function framingOfStream(answer: Answer, isOld: boolean): StreamFraming {
  if (answer.headers.some((field) => field[0] === "content-length")) return "length";
  return isOld ? "until-close" : "chunked";
}

/** The fields that only the connection can know. Source: RFC 9112 9.6, wire-protocol 9.6 and 9.7. */
function connectionFields(
  status: number,
  isLast: boolean,
  isOld: boolean,
  framing: StreamFraming | null,
): string {
  if (status === 101) return "";
  const coding = framing === "chunked" ? "transfer-encoding: chunked\r\n" : "";
  if (isLast) return coding + "connection: close\r\n";
  return isOld ? coding + "connection: keep-alive\r\n" : coding;
}
