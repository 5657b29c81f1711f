import type { Sweeper, Watched } from "../../runtime/sweeper.ts";
import type { BodyFraming, HeaderField, SocketAddress } from "../../domain/wire/mod.ts";
import {
  bodyDecoder,
  encodeRequestInto,
  findHeadEnd,
  parseResponseHead,
  ReadBuffer,
  responseFraming,
  type ResponseHead,
} from "../http1/mod.ts";
import { protocolError, StaleConnectionError, upstreamError } from "./errors.ts";
import type { UpstreamLimits } from "./limits.ts";
import { sendBody } from "./request_body.ts";
import type { UpstreamResponse } from "./response.ts";
import { ResponseBody } from "./response_body.ts";

/** The part of a TCP connection that is used here. */
export interface HostSocket {
  /** @returns bytes read, `null` at the end */
  read(into: Uint8Array): Promise<number | null>;
  /** @returns bytes written */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Told by a connection that can take another request, or none any more. Each at most once per exchange. */
export interface ConnectionOwner {
  released(connection: HostConnection): void;
  closed(connection: HostConnection): void;
}

/** What is sent: exactly this head, then the body. */
export interface OutgoingMessage {
  /** Also decides whether a body follows the answer's head. */
  readonly method: string;
  readonly target: string;
  readonly headers: readonly HeaderField[];
  /** With its framing, unless it is a stream. */
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
  readonly framing: BodyFraming;
}

/** Who waits for an answer. Exactly one of these is called, once. */
export interface Asker {
  answered(answer: UpstreamResponse): void;
  failed(error: unknown): void;
}

/** Called when an answer takes long; `giveUp` ends the exchange. */
export type OnSlow = (giveUp: () => void) => void;

type State = "idle" | "head" | "small-body" | "streaming" | "closed";

/** Bytes a fresh connection can receive at once; enough for most heads with their bodies. */
const READ_BYTES = 16_384;
/** Bytes of a request that need no array of their own. */
const WRITE_BYTES = 4_096;
/** After a failed write, how long the answer that may explain it can take. */
const AFTER_FAILED_WRITE_MS = 1_000;
/** Interim responses (100 to 199 without 101) before the final one. */
const MAX_INTERIM = 16;

/**
 * One connection to the host. One exchange at a time, driven by what arrives: a read is always under way while no stream
 * is being pulled, so that a host that closes an idle connection is noticed at once and not by the next request.
 */
export class HostConnection implements Watched {
  readonly destination: SocketAddress;
  readonly #socket: HostSocket;
  readonly #limits: UpstreamLimits;
  readonly #sweeper: Sweeper;
  readonly #owner: ConnectionOwner;
  readonly #buffer: ReadBuffer;
  readonly #out = new Uint8Array(WRITE_BYTES);

  #state: State = "idle";
  #dueMs = Infinity;
  /** Whether it has served an exchange before. */
  #used = false;
  /** Whether bytes of the request are still to be written. */
  #sending = false;
  #unsent: Uint8Array = this.#out;
  /** Whether a byte of the answer came. */
  #touched = false;
  #keepAlive = true;
  #scannedTo = 0;
  #interim = 0;
  #method = "";
  #head: ResponseHead | null = null;
  #smallBodyBytes = 0;
  #body: ResponseBody | null = null;
  #onSlow: OnSlow | null = null;
  #headDueMs = Infinity;
  /** The exchange that waits for a head. */
  #asker: Asker | null = null;

  constructor(
    destination: SocketAddress,
    socket: HostSocket,
    limits: UpstreamLimits,
    sweeper: Sweeper,
    owner: ConnectionOwner,
  ) {
    this.destination = destination;
    this.#socket = socket;
    this.#limits = limits;
    this.#sweeper = sweeper;
    this.#owner = owner;
    this.#buffer = new ReadBuffer(READ_BYTES, limits.head.headBytes + limits.bufferedBodyBytes);
    sweeper.add(this);
    this.#read();
  }

  get dueMs(): number {
    return this.#dueMs;
  }

  /**
   * Sends the request. The asker hears of the answer when its head is complete, and its body unless that is streamed, or of
   * an AgentError UPSTREAM_CLOSED, UPSTREAM_PROTOCOL or UPSTREAM_TIMEOUT, or of whatever the request's body fails with.
   *
   * @throws TypeError when the head cannot be written; the connection is as good as before
   */
  exchange(message: OutgoingMessage, asker: Asker, onSlow: OnSlow | null): void {
    // Closed between the moment it was handed over and this one: nothing was written.
    if (this.#state === "closed") return asker.failed(new StaleConnectionError(this.destination));
    const { method, target, headers, body } = message;
    const stream = body instanceof ReadableStream ? body : null;
    const whole = body instanceof ReadableStream ? null : body;
    const bytes = encodeRequestInto(this.#out, method, target, headers, whole);
    const nowMs = this.#sweeper.nowMs();
    this.#state = "head";
    this.#method = method;
    this.#touched = false;
    this.#scannedTo = 0;
    this.#interim = 0;
    this.#onSlow = onSlow;
    this.#headDueMs = nowMs + this.#limits.headMs;
    this.#dueMs = onSlow === null ? this.#headDueMs : nowMs + this.#limits.slowMs;
    this.#sending = true;
    this.#asker = asker;
    if (stream === null) this.#write(bytes);
    else this.#sendStream(message, bytes, stream);
  }

  /** Closes an idle connection, or breaks an exchange off with `error`. */
  close(error: unknown = null): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#dueMs = Infinity;
    this.#sweeper.remove(this);
    try {
      this.#socket.close();
    } catch {
      // The socket was closed by the runtime already.
    }
    const asker = this.#asker;
    const body = this.#body;
    this.#asker = null;
    this.#body = null;
    asker?.failed(error ?? upstreamError("UPSTREAM_CLOSED", "keep", this.destination));
    body?.fail(error ?? upstreamError("UPSTREAM_CLOSED", "keep", this.destination));
    this.#owner.closed(this);
  }

  expire(nowMs: number): void {
    const onSlow = this.#onSlow;
    if (onSlow !== null && nowMs < this.#headDueMs) {
      const asker = this.#asker;
      this.#onSlow = null;
      this.#dueMs = this.#headDueMs;
      onSlow(() => {
        // By the time the asker gives up, this connection may serve somebody else.
        if (asker === null || this.#asker !== asker) return;
        this.close(upstreamError("UPSTREAM_CLOSED", "give up on", this.destination));
      });
    } else if (this.#state === "idle") {
      this.close();
    } else {
      this.close(upstreamError("UPSTREAM_TIMEOUT", "wait for", this.destination));
    }
  }

  // ---- sending

  #write(bytes: Uint8Array): void {
    this.#unsent = bytes;
    this.#socket.write(bytes).then(this.#written, this.#writeFailed);
  }

  readonly #written = (count: number): void => {
    if (count === this.#unsent.length) this.#sending = false;
    else if (this.#state !== "closed") this.#write(this.#unsent.subarray(count));
  };

  /**
   * A host may answer and close before it has read everything, so a failed write is not the end: the answer, or the end of
   * the connection, is about to be read. `sending` stays true, so this connection is not used again.
   */
  readonly #writeFailed = (): void => {
    if (this.#state !== "head") return;
    this.#onSlow = null;
    this.#dueMs = this.#headDueMs = this.#sweeper.nowMs() + AFTER_FAILED_WRITE_MS;
  };

  async #sendStream(
    message: OutgoingMessage,
    head: Uint8Array,
    body: ReadableStream<Uint8Array>,
  ): Promise<void> {
    const asker = this.#asker;
    /** Also while an early answer is being read: the host decides whether it still wants the body. */
    const isWanted = () =>
      this.#asker === asker || this.#state === "streaming" || this.#state === "small-body";
    /** Until the request is through, only the host's taking of it is timed; the body times its sender. */
    const due = (ms: number) => {
      if (this.#state === "head") this.#dueMs = this.#headDueMs = this.#sweeper.nowMs() + ms;
    };
    const write = async (bytes: Uint8Array) => {
      due(this.#limits.bodyIdleMs);
      for (let at = 0; at < bytes.length && isWanted();) {
        at += await this.#socket.write(bytes.subarray(at));
      }
      due(Infinity);
    };
    this.#onSlow = null;
    try {
      const isThrough = await sendBody(write, head, body, message.framing, isWanted, (error) => {
        if (isWanted()) this.close(error);
      });
      if (!isThrough || !isWanted()) return;
      this.#sending = false;
      due(this.#limits.headMs);
    } catch {
      this.#writeFailed();
    }
  }

  // ---- receiving

  #read(): void {
    this.#socket.read(this.#buffer.space()).then(this.#received, this.#readFailed);
  }

  readonly #received = (count: number | null): void => {
    if (this.#state === "closed") return;
    // An idle host has nothing to say: either it closed, or it sent what nobody asked for.
    if (this.#state === "idle") return this.close();
    if (count === null) return this.#endedByHost();
    this.#touched = true;
    this.#buffer.filled(count);
    if (this.#state === "head") this.#readHead();
    else this.#readSmallBody();
  };

  readonly #readFailed = (error: unknown): void => {
    if (this.#state === "idle") this.close();
    else if (this.#state !== "closed") this.#endedByHost(error);
  };

  #endedByHost(cause?: unknown): void {
    const stale = this.#used && !this.#touched;
    this.close(
      stale
        ? new StaleConnectionError(this.destination, cause)
        : upstreamError("UPSTREAM_CLOSED", "read the whole answer of", this.destination, cause),
    );
  }

  #readHead(): void {
    const buffer = this.#buffer;
    for (;;) {
      const from = Math.max(buffer.start, buffer.start + this.#scannedTo - 3);
      const end = findHeadEnd(buffer.bytes, from, buffer.end);
      if (end === -1) {
        this.#scannedTo = buffer.length;
        if (buffer.length >= this.#limits.head.headBytes) {
          return this.close(protocolError("HEAD_TOO_LARGE", this.destination));
        }
        return this.#read();
      }
      const head = parseResponseHead(buffer.bytes, buffer.start, end, this.#limits.head);
      if (!head.ok) return this.close(protocolError(head.error, this.destination));
      buffer.take(end - buffer.start);
      this.#scannedTo = 0;
      if (head.value.status >= 200 || head.value.status === 101) return this.#headRead(head.value);
      if (++this.#interim > MAX_INTERIM) {
        return this.close(protocolError("FRAMING", this.destination));
      }
    }
  }

  #headRead(head: ResponseHead): void {
    const framing = responseFraming(head, this.#method);
    if (!framing.ok) return this.close(protocolError(framing.error, this.destination));
    this.#head = head;
    this.#onSlow = null;
    this.#keepAlive = head.status !== 101 && staysOpen(head);
    const kind = framing.value.kind;
    if (kind === "none") return this.#finish(null);
    if (framing.value.kind === "length" && framing.value.bytes <= this.#limits.bufferedBodyBytes) {
      this.#smallBodyBytes = framing.value.bytes;
      this.#state = "small-body";
      return this.#readSmallBody();
    }
    const body = new ResponseBody(bodyDecoder(framing.value), {
      read: (into) => {
        this.#dueMs = this.#sweeper.nowMs() + this.#limits.bodyIdleMs;
        return this.#socket.read(into);
      },
      waiting: () => {
        this.#dueMs = this.#sweeper.nowMs() + this.#limits.stalledCallerMs;
      },
      ended: (clean) => {
        this.#body = null;
        if (clean) this.#release();
        else this.close();
      },
      failed: (fault, cause) => {
        const error = fault === null
          ? upstreamError("UPSTREAM_CLOSED", "read a body of", this.destination, cause)
          : protocolError(fault, this.destination);
        this.#body = null;
        this.close();
        return error;
      },
    });
    this.#state = "streaming";
    const arrived = body.takeArrived(this.#buffer);
    if (!arrived.ok) return this.close(protocolError(arrived.error, this.destination));
    if (arrived.value !== null) return this.#finish(arrived.value);
    this.#body = body;
    this.#dueMs = this.#sweeper.nowMs() + this.#limits.stalledCallerMs;
    this.#answer(body.stream());
  }

  #readSmallBody(): void {
    const buffer = this.#buffer;
    const bytes = this.#smallBodyBytes;
    if (buffer.length < bytes) {
      this.#dueMs = this.#sweeper.nowMs() + this.#limits.bodyIdleMs;
      buffer.reserve(bytes);
      return this.#read();
    }
    const body = buffer.bytes.subarray(buffer.start, buffer.start + bytes);
    buffer.take(bytes);
    this.#finish(body);
  }

  #answer(body: UpstreamResponse["body"]): void {
    const { status, reason, version, headers } = this.#head!;
    const asker = this.#asker;
    this.#asker = null;
    this.#head = null;
    asker?.answered({ status, reason, version, headers, body });
  }

  /** The answer is given out before anything else is read: its body may lie in the buffer. */
  #finish(body: Uint8Array<ArrayBuffer> | null): void {
    this.#answer(body);
    this.#release();
  }

  /** Makes ready for the next exchange, or closes where this connection cannot have one. */
  #release(): void {
    if (!this.#keepAlive || this.#sending || this.#buffer.length > 0) return this.close();
    this.#state = "idle";
    this.#used = true;
    this.#buffer.release();
    this.#dueMs = this.#sweeper.nowMs() + this.#limits.idleMs;
    this.#read();
    this.#owner.released(this);
  }
}

/** Whether the host will take another request on this connection. Source: RFC 9112 9.3. */
function staysOpen(head: ResponseHead): boolean {
  const tokens = connectionTokens(head.headers);
  if (tokens.includes("close")) return false;
  return head.version === "1.1" || tokens.includes("keep-alive");
}

function connectionTokens(headers: readonly HeaderField[]): string {
  let tokens = "";
  for (let i = 0; i < headers.length; i++) {
    if (headers[i]![0] === "connection") tokens += "," + headers[i]![1].toLowerCase();
  }
  return tokens;
}
