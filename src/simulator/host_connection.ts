import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import {
  type BodyDecoder,
  bodyDecoder,
  encodeResponseHead,
  findHeadEnd,
  HEAD_LIMITS,
  type HeadLimits,
  type Http1Fault,
  parseRequestHead,
  requestFraming,
  type RequestHead,
} from "../agent/http1/mod.ts";
import { bodyLimitBytes } from "../domain/canonical/mod.ts";
import { formatHostDate } from "../domain/endorsement/mod.ts";
import type { HeaderField } from "../domain/wire/client_request.ts";
import type { EndpointName } from "../domain/wire/endpoints.ts";
import type { Fault } from "./faults.ts";
import type { SimulatedHost } from "./host.ts";
import { type Answer, emptyAnswer, HostRequest } from "./request.ts";

/** What an agent may let through, and its own three fields on top. */
const HOST_HEAD_LIMITS: HeadLimits = Object.freeze({
  ...HEAD_LIMITS,
  headBytes: HEAD_LIMITS.headBytes + 1_024,
  fields: HEAD_LIMITS.fields + 3,
});
/** Bytes of a body that are kept for verification and for the endpoint. Above, they are only counted. */
const MAX_KEPT_BODY_BYTES = 1_048_576;
/** Bytes received ahead of the request being answered before reading pauses. */
const MAX_AHEAD_BYTES = 262_144;
/** A connection on which nothing arrives for so long is closed. Also how long `hang` hangs. */
const IDLE_MS = 600_000;

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const GARBAGE = Buffer.from("\x00\x01 this is not HTTP \xff\xfe\r\n\r\n{]", "latin1");
const GARBAGE_BODY = Buffer.from('{"version":"2.0","authorizationScheme":\x00]]>', "latin1");

/** A request whose body is still arriving. */
interface Incoming {
  readonly head: RequestHead;
  readonly rawHead: Uint8Array;
  readonly decoder: BodyDecoder;
  readonly limitBytes: number;
  readonly chunks: Uint8Array[];
  bodyBytes: number;
}

/** One connection to the simulated host: requests in, answers out, one at a time and in order. */
export class HostConnection {
  readonly #socket: Socket;
  readonly #endpoint: EndpointName;
  readonly #host: SimulatedHost;
  readonly #peer: string;
  #received: Buffer = Buffer.alloc(0);
  #searchedTo = 0;
  #incoming: Incoming | null = null;
  /** True while an answer is delayed, withheld or waits for the client to read. */
  #busy = false;
  #hanging = false;
  #ended = false;
  #delay: ReturnType<typeof setTimeout> | null = null;

  constructor(socket: Socket, endpoint: EndpointName, host: SimulatedHost) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#host = host;
    this.#peer = `${socket.remoteAddress}:${socket.remotePort}`;
    socket.setNoDelay(true);
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#onEnd());
    // A peer that resets is an everyday event for a host; what it cost is that its answer is lost.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#onClose());
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    if (this.#busy && this.#received.length > MAX_AHEAD_BYTES) this.#socket.pause();
    this.#proceed();
  }

  #onEnd(): void {
    this.#ended = true;
    if (!this.#busy || this.#hanging) this.#socket.end();
  }

  #onClose(): void {
    if (this.#delay !== null) clearTimeout(this.#delay);
    this.#busy = true;
    this.#received = Buffer.alloc(0);
  }

  #proceed(): void {
    while (!this.#busy && !this.#socket.destroyed) {
      if (this.#incoming === null && !this.#readHead()) return;
      if (!this.#readBody()) return;
    }
  }

  /** Whether a head is complete and its body may follow. */
  #readHead(): boolean {
    let skipped = 0;
    while (this.#received[skipped] === 13 || this.#received[skipped] === 10) skipped++;
    if (skipped > 0) this.#take(skipped);
    const bytes = this.#received;
    const end = findHeadEnd(bytes, Math.max(0, this.#searchedTo - 3), bytes.length);
    if (end === -1) {
      this.#searchedTo = bytes.length;
      if (bytes.length > HOST_HEAD_LIMITS.headBytes) this.#refuseMalformed("HEAD_TOO_LARGE");
      return false;
    }
    const head = parseRequestHead(bytes, 0, end, HOST_HEAD_LIMITS);
    const framing = head.ok ? requestFraming(head.value) : head;
    if (!head.ok || !framing.ok) {
      this.#refuseMalformed(head.ok ? "FRAMING" : head.error);
      return false;
    }
    const limitBytes = bodyLimitBytes(head.value.method, head.value.target, this.#endpoint);
    if (framing.value.kind === "length" && framing.value.bytes > limitBytes) {
      this.#refuseMalformed("BODY_TOO_LARGE");
      return false;
    }
    this.#incoming = {
      head: head.value,
      rawHead: Uint8Array.prototype.slice.call(bytes, 0, end),
      decoder: bodyDecoder(framing.value),
      limitBytes,
      chunks: [],
      bodyBytes: 0,
    };
    this.#take(end);
    const waits = framing.value.kind !== "none" && this.#received.length === 0;
    if (waits && expectsContinue(head.value)) this.#socket.write(CONTINUE);
    return true;
  }

  /** Whether the request is complete, and was handed on. */
  #readBody(): boolean {
    const incoming = this.#incoming!;
    const bytes = this.#received;
    const taken = incoming.decoder.decode(bytes, 0, bytes.length, (from, to) => {
      incoming.bodyBytes += to - from;
      if (incoming.bodyBytes <= MAX_KEPT_BODY_BYTES) incoming.chunks.push(bytes.slice(from, to));
      else incoming.chunks.length = 0;
    });
    if (!taken.ok || incoming.bodyBytes > incoming.limitBytes) {
      this.#refuseMalformed(taken.ok ? "BODY_TOO_LARGE" : taken.error);
      return false;
    }
    this.#take(taken.value);
    if (!incoming.decoder.done) return false;
    this.#incoming = null;
    this.#serve(incoming);
    return true;
  }

  #serve(incoming: Incoming): void {
    const { head } = incoming;
    const request = new HostRequest(
      this.#endpoint,
      this.#peer,
      head.method,
      head.target,
      head.version,
      head.headers,
      incoming.rawHead,
      incoming.chunks.length === 1 ? incoming.chunks[0]! : Buffer.concat(incoming.chunks),
      incoming.bodyBytes,
      this.#host.wallMs(),
    );
    const fault = this.#host.faults.take(this.#endpoint, head.method, head.target);
    if (fault?.kind === "slow") {
      this.#busy = true;
      this.#delay = setTimeout(() => {
        this.#busy = false;
        this.#answer(request, fault);
        this.#proceed();
      }, fault.ms);
    } else {
      this.#answer(request, fault);
    }
  }

  #answer(request: HostRequest, fault: Fault | null): void {
    const refusal = fault?.kind === "status" ? emptyAnswer(fault.status) : null;
    const { answer, need, verdict } = this.#host.judge(request, refusal);
    const status = this.#send(request, answer, fault);
    if (status >= 200 && status <= 299) this.#host.answered(request);
    this.#host.journal.add({ request, need, verdict, status, fault: fault?.kind ?? null });
  }

  /** Sends the answer, or what the fault makes of it. Returns the status that went out, 0 when none did. */
  #send(request: HostRequest, answer: Answer, fault: Fault | null): number {
    switch (fault?.kind) {
      case "garbage-body":
        return this.#write(request, { ...answer, body: GARBAGE_BODY });
      case "huge-body":
        return this.#write(request, { ...answer, body: Buffer.alloc(fault.bytes, " ") });
      case "content-type":
        return this.#write(request, withContentType(answer, fault.contentType));
      case "half-body":
        return this.#writeHalf(request, answer);
      case "stale":
        this.#write(request, answer);
        this.#hangUp();
        return answer.status;
      case "garbage":
        this.#socket.write(GARBAGE);
        this.#hangUp();
        return 0;
      case "close":
        this.#hangUp();
        return 0;
      case "reset":
        this.#busy = true;
        this.#socket.resetAndDestroy();
        return 0;
      case "hang":
        this.#busy = true;
        this.#hanging = true;
        return 0;
      default:
        return this.#write(request, answer);
    }
  }

  #write(request: HostRequest, answer: Answer): number {
    const closes = wantsClose(request);
    const head = this.#head(answer, closes);
    const withBody = request.method !== "HEAD" && answer.status !== 304;
    const message = withBody ? Buffer.concat([head, answer.body]) : head;
    if (!this.#socket.write(message)) {
      this.#busy = true;
      this.#socket.once("drain", () => {
        this.#busy = false;
        this.#proceed();
      });
    }
    if (closes || this.#ended) this.#hangUp();
    else if (this.#socket.isPaused()) this.#socket.resume();
    return answer.status;
  }

  #writeHalf(request: HostRequest, answer: Answer): number {
    const half = answer.body.subarray(0, Math.floor(answer.body.length / 2));
    this.#socket.write(Buffer.concat([this.#head(answer, wantsClose(request)), half]));
    this.#hangUp();
    return answer.status;
  }

  #head(answer: Answer, closes: boolean): Uint8Array {
    const headers: HeaderField[] = [["date", formatHostDate(this.#host.nowMs())]];
    for (const field of answer.headers) headers.push(field);
    if (answer.status !== 304) headers.push(["content-length", String(answer.body.length)]);
    if (closes) headers.push(["connection", "close"]);
    return encodeResponseHead(answer.status, REASONS.get(answer.status) ?? "", headers);
  }

  #refuseMalformed(fault: Http1Fault): void {
    this.#host.counts[this.#endpoint].malformed++;
    const status = MALFORMED.get(fault) ?? 400;
    const body = Buffer.from(`not a request: ${fault}\n`);
    this.#socket.write(Buffer.concat([this.#head({ status, headers: [], body }, true), body]));
    this.#hangUp();
  }

  /** Ends the connection after what was written. */
  #hangUp(): void {
    this.#busy = true;
    this.#socket.end(() => this.#socket.destroy());
  }

  #take(count: number): void {
    this.#received = this.#received.subarray(count);
    this.#searchedTo = 0;
  }
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [304, "Not Modified"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [413, "Payload Too Large"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [503, "Service Unavailable"],
]);

const MALFORMED: ReadonlyMap<Http1Fault, number> = new Map([
  ["BODY_TOO_LARGE", 413],
  ["HEAD_TOO_LARGE", 431],
  ["TOO_MANY_FIELDS", 431],
  ["TARGET_TOO_LONG", 414],
]);

function withContentType(answer: Answer, contentType: string): Answer {
  const others = answer.headers.filter(([name]) => name !== "content-type");
  return { ...answer, headers: [...others, ["content-type", contentType]] };
}

function expectsContinue(head: RequestHead): boolean {
  return head.version === "1.1" &&
    head.headers.some(([name, value]) =>
      name === "expect" && value.toLowerCase() === "100-continue"
    );
}

function wantsClose(request: HostRequest): boolean {
  const wishes = request.fields("connection").join(",").toLowerCase().split(",")
    .map((wish) => wish.trim());
  if (wishes.includes("close")) return true;
  return request.version === "1.0" && !wishes.includes("keep-alive");
}
