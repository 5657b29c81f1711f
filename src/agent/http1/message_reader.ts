import type { HeaderField } from "../../domain/wire/client_request.ts";
import { err, ok, type Result } from "../../runtime/result.ts";
import { type BodyDecoder, bodyDecoder } from "./body_decoder.ts";
import { requestFraming, type ResponseFraming, responseFraming } from "./body_framing.ts";
import type { Http1Fault } from "./faults.ts";
import {
  findHeadEnd,
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
} from "./head_reader.ts";
import type { MessageLimits } from "./limits.ts";
import { CR, LF } from "./octets.ts";
import { ReadBuffer } from "./read_buffer.ts";

/** A request that was received as a whole. */
export interface ReceivedRequest extends RequestHead {
  readonly headers: readonly HeaderField[];
  /** The head's bytes as they arrived, blank line included. */
  readonly rawHead: Uint8Array;
  /** Without chunking; empty when there is none. */
  readonly body: Uint8Array;
}

/** A response that was received as a whole. */
export interface ReceivedResponse extends ResponseHead {
  readonly headers: readonly HeaderField[];
  /** Without chunking; empty when there is none. */
  readonly body: Uint8Array;
}

/** Interim responses that may precede the final one. */
const MAX_INTERIM_RESPONSES = 16;

/** Reads the requests of one connection, each as a whole. For whoever plays the host. */
export class RequestReader {
  readonly #assembler: Assembler<RequestHead>;

  constructor(limits: MessageLimits) {
    this.#assembler = new Assembler(
      limits,
      (bytes, to) => parseRequestHead(bytes, 0, to, limits),
      requestFraming,
    );
  }

  /**
   * Takes received bytes and returns the requests they complete, in order, often none. After a fault every call
   * returns that fault: where the next message would begin is not known.
   */
  push(bytes: Uint8Array): Result<ReceivedRequest[], Http1Fault> {
    const completed: ReceivedRequest[] = [];
    let at = 0;
    while (at < bytes.length) {
      const taken = this.#assembler.push(bytes, at);
      if (!taken.ok) return taken;
      at = taken.value;
      const message = this.#assembler.takeMessage();
      if (message !== null) {
        completed.push({ ...message.head, rawHead: message.rawHead, body: message.body });
      }
    }
    return ok(completed);
  }

  /** The peer closed. Returns `TRUNCATED` when that was inside a request, else `null`. */
  close(): Http1Fault | null {
    return this.#assembler.idle ? null : "TRUNCATED";
  }
}

/** Reads one response, as a whole, reading over interim ones. For the agent's own requests. */
export class ResponseReader {
  readonly #assembler: Assembler<ResponseHead>;
  #interim = 0;

  /** @param method the request's: it decides whether a body follows */
  constructor(method: string, limits: MessageLimits) {
    this.#assembler = new Assembler(
      limits,
      (bytes, to) => parseResponseHead(bytes, 0, to, limits),
      (head) => responseFraming(head, method),
    );
  }

  /** Takes received bytes. Returns the response once it is complete; `null` while more is needed. */
  push(bytes: Uint8Array): Result<ReceivedResponse | null, Http1Fault> {
    let at = 0;
    while (at < bytes.length) {
      const taken = this.#assembler.push(bytes, at);
      if (!taken.ok) return taken;
      at = taken.value;
      const response = this.#takeFinal();
      if (response !== null) return ok(response);
      if (this.#interim > MAX_INTERIM_RESPONSES) return err("FRAMING");
    }
    return ok(null);
  }

  /** The peer closed. Returns the response when closing was its end, else `TRUNCATED`. */
  close(): Result<ReceivedResponse, Http1Fault> {
    const fault = this.#assembler.close();
    if (fault !== null) return err(fault);
    const response = this.#takeFinal();
    return response === null ? err("TRUNCATED") : ok(response);
  }

  #takeFinal(): ReceivedResponse | null {
    const message = this.#assembler.takeMessage();
    if (message === null) return null;
    if (message.head.status < 200 && message.head.status !== 101) {
      this.#interim++;
      return null;
    }
    return { ...message.head, body: message.body };
  }
}

interface Message<H> {
  readonly head: H;
  readonly rawHead: Uint8Array;
  readonly body: Uint8Array;
}

/** What both readers have in common: head bytes are gathered, parsed, then body bytes are gathered. */
class Assembler<H> {
  readonly #limits: MessageLimits;
  readonly #parse: (bytes: Uint8Array, to: number) => Result<H, Http1Fault>;
  readonly #framing: (head: H) => Result<ResponseFraming, Http1Fault>;
  readonly #headBytes: ReadBuffer;
  #head: H | null = null;
  #rawHead: Uint8Array = new Uint8Array();
  #decoder: BodyDecoder | null = null;
  #body: Uint8Array[] = [];
  #bodyBytes = 0;
  #fault: Http1Fault | null = null;

  constructor(
    limits: MessageLimits,
    parse: (bytes: Uint8Array, to: number) => Result<H, Http1Fault>,
    framing: (head: H) => Result<ResponseFraming, Http1Fault>,
  ) {
    this.#limits = limits;
    this.#parse = parse;
    this.#framing = framing;
    this.#headBytes = new ReadBuffer(Math.min(4096, limits.headBytes), limits.headBytes);
  }

  /** Whether no message has begun. */
  get idle(): boolean {
    return this.#head === null && this.#headBytes.length === 0;
  }

  /** Takes bytes from `at` on, up to the end of the message at most. Returns the index behind the last one taken. */
  push(bytes: Uint8Array, at: number): Result<number, Http1Fault> {
    if (this.#fault !== null) return err(this.#fault);
    let position: Result<number, Http1Fault> = ok(at);
    if (this.#head === null) position = this.#pushHead(bytes, at);
    if (position.ok && this.#decoder !== null) position = this.#pushBody(bytes, position.value);
    if (!position.ok) this.#fault = position.error;
    return position;
  }

  close(): Http1Fault | null {
    return this.#fault ?? (this.#decoder === null ? "TRUNCATED" : this.#decoder.close());
  }

  /** The message when it is complete, and makes ready for the next; else `null`. */
  takeMessage(): Message<H> | null {
    if (this.#head === null || this.#decoder === null || !this.#decoder.done) return null;
    const message = {
      head: this.#head,
      rawHead: this.#rawHead,
      body: concatenate(this.#body, this.#bodyBytes),
    };
    this.#head = null;
    this.#decoder = null;
    this.#body = [];
    this.#bodyBytes = 0;
    return message;
  }

  #pushHead(bytes: Uint8Array, at: number): Result<number, Http1Fault> {
    const buffer = this.#headBytes;
    let from = at;
    // Blank lines before a message are read over. Source: RFC 9112 2.2.
    if (buffer.length === 0) { while (bytes[from] === CR || bytes[from] === LF) from++; }
    const before = buffer.length;
    const appended = buffer.append(bytes.subarray(from));
    const end = findHeadEnd(buffer.bytes, Math.max(0, before - 3), buffer.end);
    if (end === -1) {
      if (buffer.length >= this.#limits.headBytes) return err("HEAD_TOO_LARGE");
      return ok(from + appended);
    }
    const head = this.#parse(buffer.bytes, end);
    if (!head.ok) return head;
    const framing = this.#framing(head.value);
    if (!framing.ok) return framing;
    if (framing.value.kind === "length" && framing.value.bytes > this.#limits.bodyBytes) {
      return err("BODY_TOO_LARGE");
    }
    this.#head = head.value;
    this.#rawHead = buffer.bytes.slice(0, end);
    this.#decoder = bodyDecoder(framing.value);
    buffer.take(buffer.length);
    return ok(from + end - before);
  }

  #pushBody(bytes: Uint8Array, at: number): Result<number, Http1Fault> {
    const taken = this.#decoder!.decode(bytes, at, bytes.length, (from, to) => {
      this.#bodyBytes += to - from;
      if (this.#bodyBytes <= this.#limits.bodyBytes) {
        this.#body.push(new Uint8Array(bytes.subarray(from, to)));
      }
    });
    if (taken.ok && this.#bodyBytes > this.#limits.bodyBytes) return err("BODY_TOO_LARGE");
    return taken;
  }
}

function concatenate(parts: readonly Uint8Array[], total: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
