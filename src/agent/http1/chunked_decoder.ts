import { err, ok, type Result } from "../../runtime/result.ts";
import type { BodyDecoder } from "./body_decoder.ts";
import type { Http1Fault } from "./faults.ts";
import { CHUNK_LINE_BYTES, TRAILER_BYTES } from "./limits.ts";
import { CR, FIELD_CONTENT, HEX_VALUE, LF, SEMICOLON, SP, TAB } from "./octets.ts";

/** Where the decoder stands, in the order of the wire. */
type State =
  | "size" // hex digits of a chunk's size; at least one
  | "extension" // behind the digits, up to CR
  | "size-lf"
  | "data"
  | "data-cr"
  | "data-lf"
  | "trailer-start" // first byte of a trailer line or of the final blank line
  | "trailer"
  | "trailer-lf"
  | "final-lf"
  | "done";

/** 2^48 bytes: far above every limit, far below what a number holds exactly. */
const SIZE_DIGITS = 12;

/**
 * Removes chunking. Extensions and trailer fields are read over, within their limits, and dropped: a proxy that signs
 * whole messages has nothing to do with fields that come after them. Source: RFC 9112 7.1.
 */
export class ChunkedDecoder implements BodyDecoder {
  #state: State = "size";
  #left = 0;
  #digits = 0;
  #lineBytes = 0;
  #trailerBytes = 0;

  get done(): boolean {
    return this.#state === "done";
  }

  close(): Http1Fault | null {
    return this.#state === "done" ? null : "TRUNCATED";
  }

  decode(
    bytes: Uint8Array,
    from: number,
    to: number,
    data: (from: number, to: number) => void,
  ): Result<number, Http1Fault> {
    let at = from;
    while (at < to && this.#state !== "done") {
      if (this.#state === "data") {
        const end = Math.min(to, at + this.#left);
        data(at, end);
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#state = "data-cr";
      } else {
        const fault = this.#step(bytes[at++]!);
        if (fault !== null) return err(fault);
      }
    }
    return ok(at);
  }

  /** One byte outside the data. */
  #step(byte: number): Http1Fault | null {
    switch (this.#state) {
      case "size":
        return this.#sizeDigit(byte);
      case "extension":
        if (++this.#lineBytes > CHUNK_LINE_BYTES) return "CHUNK";
        if (byte === CR) this.#state = "size-lf";
        else if (FIELD_CONTENT[byte] === 0) return "CHUNK";
        return null;
      case "size-lf":
        if (byte !== LF) return "CHUNK";
        this.#state = this.#left === 0 ? "trailer-start" : "data";
        return null;
      case "data-cr":
        if (byte !== CR) return "CHUNK";
        this.#state = "data-lf";
        return null;
      case "data-lf":
        if (byte !== LF) return "CHUNK";
        this.#state = "size";
        this.#digits = 0;
        this.#lineBytes = 0;
        return null;
      default:
        return this.#trailerByte(byte);
    }
  }

  #sizeDigit(byte: number): Http1Fault | null {
    const value = HEX_VALUE[byte]!;
    if (value !== 255) {
      if (++this.#digits > SIZE_DIGITS) return "CHUNK";
      this.#left = this.#left * 16 + value;
      return null;
    }
    if (this.#digits === 0) return "CHUNK";
    if (byte === CR) this.#state = "size-lf";
    else if (byte === SEMICOLON || byte === SP || byte === TAB) this.#state = "extension";
    else return "CHUNK";
    return null;
  }

  #trailerByte(byte: number): Http1Fault | null {
    if (++this.#trailerBytes > TRAILER_BYTES) return "CHUNK";
    switch (this.#state) {
      case "trailer-start":
        if (byte === CR) this.#state = "final-lf";
        else if (FIELD_CONTENT[byte] === 0) return "CHUNK";
        else this.#state = "trailer";
        return null;
      case "trailer":
        if (byte === CR) this.#state = "trailer-lf";
        else if (FIELD_CONTENT[byte] === 0) return "CHUNK";
        return null;
      case "trailer-lf":
        if (byte !== LF) return "CHUNK";
        this.#state = "trailer-start";
        return null;
      default: // final-lf
        if (byte !== LF) return "CHUNK";
        this.#state = "done";
        return null;
    }
  }
}
