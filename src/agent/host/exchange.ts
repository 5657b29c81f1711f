import type { OwnRequest } from "../../domain/endorsement/mod.ts";
import type { HeaderField, SocketAddress } from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError, type ErrorCode } from "../../runtime/errors.ts";
import {
  encodeRequestMessage,
  type Http1Fault,
  type MessageLimits,
  type ReceivedResponse,
  ResponseReader,
} from "../http1/mod.ts";

/** The part of a connection that an exchange uses. */
export interface HostStream {
  /** @returns bytes read, `null` at the end */
  read(into: Uint8Array): Promise<number | null>;
  /** @returns bytes written */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Opens a connection; gives up when the signal fires. */
export type Dial = (to: SocketAddress, signal: AbortSignal) => Promise<HostStream>;

/** How long an exchange may take and how much may come back. */
export interface ExchangeLimits {
  readonly connectMs: number;
  /** Connecting included. */
  readonly wholeMs: number;
  readonly message: MessageLimits;
}

/** DEVIATION D-50: the limits of every call the agent makes to the host. Source: agent 13 item 3, wire-protocol S-1. */
export const HOST_LIMITS: ExchangeLimits = Object.freeze({
  connectMs: 5_000,
  wholeMs: 15_000,
  message: Object.freeze({
    headBytes: 65_536,
    fields: 100,
    targetBytes: 65_534,
    bodyBytes: 4_194_304,
  }),
});

const READ_BYTES = 16_384;

/** Opens a plain TCP connection. */
export const dialTcp: Dial = (to, signal) =>
  Deno.connect({ hostname: to.address, port: to.port, signal });

/** Sends one request on a connection of its own and reads the answer. Errors carry no byte of either. */
export class Exchange {
  readonly #clock: Clock;
  readonly #dial: Dial;
  readonly #limits: ExchangeLimits;

  constructor(clock: Clock, dial: Dial = dialTcp, limits: ExchangeLimits = HOST_LIMITS) {
    this.#clock = clock;
    this.#dial = dial;
    this.#limits = limits;
  }

  /**
   * @param name what is asked for, for the error's text
   * @param headOnly whether the answer is complete with its head; its body is then left unread
   * @throws AgentError HOST_CONNECT, HOST_TIMEOUT, HOST_PROTOCOL, HOST_BODY_TOO_LARGE; also HOST_TIMEOUT when `signal` fires
   */
  async ask(
    name: string,
    to: SocketAddress,
    request: OwnRequest,
    signal: AbortSignal,
    headOnly = false,
  ): Promise<ReceivedResponse> {
    const failure = (code: ErrorCode, what: string, cause?: unknown) =>
      new AgentError(code, `${name} from \`${to.address}:${to.port}\`: ${what}`, {
        cause,
        detail: { address: to.address, port: to.port },
      });
    const deadline = new Deadline(this.#clock, this.#limits, signal);
    let stream: HostStream | null = null;
    try {
      stream = await this.#connect(to, deadline, failure);
      const answer = converse(stream, request, this.#limits.message, headOnly);
      return await deadline.within(answer, failure);
    } catch (error) {
      if (error instanceof AgentError) throw error;
      if (error instanceof ExchangeStop) throw failure(error.code, error.message);
      throw failure("HOST_PROTOCOL", "the connection broke", error);
    } finally {
      deadline.end();
      closeQuietly(stream);
    }
  }

  async #connect(to: SocketAddress, deadline: Deadline, failure: Failure): Promise<HostStream> {
    const connecting = this.#dial(to, deadline.connecting);
    try {
      const stream = await deadline.within(connecting, failure);
      deadline.connected();
      return stream;
    } catch (error) {
      // A connection that comes up after its time is nobody's: it is closed when it arrives.
      connecting.then(closeQuietly, () => {});
      if (error instanceof AgentError) throw error;
      throw failure("HOST_CONNECT", "no connection", error);
    }
  }
}

type Failure = (code: ErrorCode, what: string, cause?: unknown) => AgentError;

/** Ends an exchange from within; never leaves this file. */
class ExchangeStop extends Error {
  constructor(readonly code: ErrorCode, message: string) {
    super(message);
  }
}

/** The two time limits of one exchange, and the signal of whoever asked. */
class Deadline {
  readonly #end = new AbortController();
  readonly #connect = new AbortController();
  readonly #expired: Promise<string>;
  #isConnected = false;

  constructor(clock: Clock, limits: ExchangeLimits, signal: AbortSignal) {
    this.#expired = new Promise((resolve) => {
      const expire = (what: string) => {
        if (this.#end.signal.aborted) return;
        if (!this.#isConnected) this.#connect.abort();
        resolve(what);
      };
      if (signal.aborted) return expire("given up");
      const giveUp = () => expire("given up");
      signal.addEventListener("abort", giveUp, { once: true });
      this.#end.signal.addEventListener("abort", () => signal.removeEventListener("abort", giveUp));
      clock.sleep(limits.connectMs, this.#end.signal).then(() => {
        if (!this.#isConnected) expire(`no connection within ${limits.connectMs} ms`);
      });
      clock.sleep(limits.wholeMs, this.#end.signal).then(() =>
        expire(`no answer within ${limits.wholeMs} ms`)
      );
    });
  }

  get connecting(): AbortSignal {
    return this.#connect.signal;
  }

  connected(): void {
    this.#isConnected = true;
  }

  /** The outcome of `work`, unless the time is up before. */
  async within<T>(work: Promise<T>, failure: Failure): Promise<T> {
    const outcome = await Promise.race([
      work.then((value) => ({ value })),
      this.#expired,
    ]);
    if (typeof outcome === "string") {
      work.catch(() => {});
      throw failure("HOST_TIMEOUT", outcome);
    }
    return outcome.value;
  }

  /** Stops the timers. */
  end(): void {
    this.#end.abort();
  }
}

async function converse(
  stream: HostStream,
  request: OwnRequest,
  limits: MessageLimits,
  headOnly: boolean,
): Promise<ReceivedResponse> {
  const message = encodeRequestMessage(
    request.method,
    request.target,
    request.headers.map(asSent),
    request.body,
  );
  for (let at = 0; at < message.length;) at += await stream.write(message.subarray(at));
  const reader = new ResponseReader(headOnly ? "HEAD" : request.method, limits);
  const buffer = new Uint8Array(READ_BYTES);
  while (true) {
    const count = await stream.read(buffer);
    const step = count === null ? reader.close() : reader.push(buffer.subarray(0, count));
    if (!step.ok) throw new ExchangeStop(codeOf(step.error), `not an answer: ${step.error}`);
    if (step.value !== null) return step.value;
  }
}

/**
 * The secure channel's `Metadata` field has always been sent with a blank at its end. No signature covers that blank,
 * because values are signed without outer blanks, so it is added here, behind the signature. Source: wire-protocol 2.
 */
function asSent(field: HeaderField): HeaderField {
  return field[0] === "metadata" && field[1] === "True" ? ["metadata", "True "] : field;
}

function codeOf(fault: Http1Fault): ErrorCode {
  return fault === "BODY_TOO_LARGE" ? "HOST_BODY_TOO_LARGE" : "HOST_PROTOCOL";
}

function closeQuietly(stream: HostStream | null): void {
  try {
    stream?.close();
  } catch {
    // Closed already, by the peer or by an abandoned read.
  }
}
