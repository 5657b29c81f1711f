import { HEAD_LIMITS, ReadBuffer } from "../http1/mod.ts";

/** Bytes that a fresh connection can receive at once: most requests with their bodies. */
const READ_BYTES = 4_096;
/** Bytes of an answer that need no array of their own. */
const WRITE_BYTES = 4_096;
/** Pairs that are kept for the next connection. */
const MAX_SPARE = 256;

/** What a connection reads into and writes from. */
export interface Buffers {
  readonly read: ReadBuffer;
  readonly write: Uint8Array<ArrayBuffer>;
}

/** The buffers of closed connections, for new ones: making them anew costs more than all the rest of a short connection. */
export class BufferPool {
  readonly #spare: Buffers[] = [];

  take(): Buffers {
    return this.#spare.pop() ?? {
      read: new ReadBuffer(READ_BYTES, HEAD_LIMITS.headBytes),
      write: new Uint8Array(WRITE_BYTES),
    };
  }

  /** Takes buffers back that nobody uses any more. */
  give(read: ReadBuffer, write: Uint8Array<ArrayBuffer>): void {
    if (this.#spare.length === MAX_SPARE) return;
    read.take(read.length);
    read.release();
    this.#spare.push({ read, write });
  }
}
