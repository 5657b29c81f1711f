import { err, ok, type Result } from "../../runtime/result.ts";
import type { ResponseFraming } from "./body_framing.ts";
import { ChunkedDecoder } from "./chunked_decoder.ts";
import type { Http1Fault } from "./faults.ts";

/** Takes a body out of its framing, piece by piece. */
export interface BodyDecoder {
  /** Whether the body is complete. Bytes that follow belong to the next message. */
  readonly done: boolean;
  /**
   * Takes bytes of `bytes[from, to)` and passes runs of body data, as index pairs into the same array, to `data`.
   * Returns the index behind the last byte taken: `to`, or less when the body ended before.
   */
  decode(
    bytes: Uint8Array,
    from: number,
    to: number,
    data: (from: number, to: number) => void,
  ): Result<number, Http1Fault>;
  /** The peer closed. Returns the fault when the body is not complete by that, `null` when it is. */
  close(): Http1Fault | null;
}

/** A fresh decoder for `framing`. */
export function bodyDecoder(framing: ResponseFraming): BodyDecoder {
  switch (framing.kind) {
    case "length":
      return new LengthDecoder(framing.bytes);
    case "chunked":
      return new ChunkedDecoder();
    case "until-close":
      return new UntilCloseDecoder();
    default:
      return new LengthDecoder(0);
  }
}

class LengthDecoder implements BodyDecoder {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  decode(
    _bytes: Uint8Array,
    from: number,
    to: number,
    data: (from: number, to: number) => void,
  ): Result<number, Http1Fault> {
    const end = Math.min(to, from + this.#left);
    if (end > from) data(from, end);
    this.#left -= end - from;
    return ok(end);
  }

  close(): Http1Fault | null {
    return this.#left === 0 ? null : "TRUNCATED";
  }
}

class UntilCloseDecoder implements BodyDecoder {
  #closed = false;

  get done(): boolean {
    return this.#closed;
  }

  decode(
    _bytes: Uint8Array,
    from: number,
    to: number,
    data: (from: number, to: number) => void,
  ): Result<number, Http1Fault> {
    if (this.#closed) return err("FRAMING");
    if (to > from) data(from, to);
    return ok(to);
  }

  close(): Http1Fault | null {
    this.#closed = true;
    return null;
  }
}
