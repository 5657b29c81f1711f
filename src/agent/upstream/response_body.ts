import { ok, type Result } from "../../runtime/result.ts";
import type { BodyDecoder, Http1Fault, ReadBuffer } from "../http1/mod.ts";

/** What a body needs of its connection. */
export interface BodySource {
  read(into: Uint8Array): Promise<number | null>;
  /** Nothing is being read, because the taker of the body is busy. */
  waiting(): void;
  /** The body is complete (`clean`: nothing came behind it), or nobody wants the rest of it. */
  ended(clean: boolean): void;
  /** Breaks the connection off and returns the error for the taker. */
  failed(fault: Http1Fault | null, cause: unknown): Error;
}

/** Bytes read at once into an array that the taker then owns. */
const PIECE_BYTES = 65_536;
/** Pieces shorter than this are copied, so that a trickle does not hold on to large arrays. */
const COPY_BELOW_BYTES = 16_384;

/**
 * A response body that is passed on while it arrives. Reads happen only when the taker asks, so there is never more in
 * memory than one piece. INVARIANT: bounded by `PIECE_BYTES` plus what arrived together with the head.
 */
export class ResponseBody {
  readonly #decoder: BodyDecoder;
  readonly #source: BodySource;
  #arrived: Uint8Array<ArrayBuffer>[] = [];
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null;

  constructor(decoder: BodyDecoder, source: BodySource) {
    this.#decoder = decoder;
    this.#source = source;
  }

  /** Takes what arrived together with the head. Returns the body when that is all of it, else `null`. */
  takeArrived(buffer: ReadBuffer): Result<Uint8Array<ArrayBuffer> | null, Http1Fault> {
    const { bytes, start, end } = buffer;
    let total = 0;
    const taken = this.#decoder.decode(bytes, start, end, (from, to) => {
      this.#arrived.push(bytes.slice(from, to));
      total += to - from;
    });
    if (!taken.ok) return taken;
    buffer.take(taken.value - start);
    if (!this.#decoder.done) return ok(null);
    if (this.#arrived.length === 1) return ok(this.#arrived[0]!);
    const whole = new Uint8Array(total);
    let at = 0;
    for (const piece of this.#arrived) {
      whole.set(piece, at);
      at += piece.length;
    }
    return ok(whole);
  }

  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: (controller) => this.#pull(controller),
      cancel: () => {
        this.#controller = null;
        this.#source.ended(false);
      },
    }, { highWaterMark: 0 });
  }

  /** The connection ended by itself. */
  fail(error: unknown): void {
    this.#controller?.error(error);
    this.#controller = null;
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    if (this.#arrived.length > 0) {
      for (const piece of this.#arrived) controller.enqueue(piece);
      this.#arrived = [];
      return;
    }
    try {
      while (!(await this.#readPiece(controller)));
    } catch (error) {
      this.#fault(null, error);
    }
  }

  /** Reads once. Returns whether something was enqueued or the body is over. */
  async #readPiece(
    controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>,
  ): Promise<boolean> {
    const piece = new Uint8Array(PIECE_BYTES);
    const count = await this.#source.read(piece);
    if (this.#controller === null) return true; // cancelled or failed meanwhile
    if (count === null) {
      const fault = this.#decoder.close();
      if (fault !== null) this.#fault(fault, null);
      else this.#end(controller, false);
      return true;
    }
    let enqueued = false;
    const taken = this.#decoder.decode(piece, 0, count, (from, to) => {
      enqueued = true;
      const small = to - from < COPY_BELOW_BYTES;
      controller.enqueue(small ? piece.slice(from, to) : piece.subarray(from, to));
    });
    if (!taken.ok) {
      this.#fault(taken.error, null);
      return true;
    }
    if (this.#decoder.done) {
      this.#end(controller, taken.value === count);
      return true;
    }
    this.#source.waiting();
    return enqueued;
  }

  #end(
    controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>,
    clean: boolean,
  ): void {
    this.#controller = null;
    controller.close();
    this.#source.ended(clean);
  }

  #fault(fault: Http1Fault | null, cause: unknown): void {
    const controller = this.#controller;
    if (controller === null) return;
    this.#controller = null;
    controller.error(this.#source.failed(fault, cause));
  }
}
