import type { HeaderField } from "../../domain/wire/mod.ts";

/** What the host answered. */
export interface UpstreamResponse {
  readonly status: number;
  readonly reason: string;
  readonly version: "1.0" | "1.1";
  /** As received: order, repetitions and bytes above 0x7F kept (one character per byte), names in lower case. */
  readonly headers: readonly HeaderField[];
  /**
   * Without chunking. An array when the whole body is there already: a view that is valid only until whoever was given it
   * returns. A stream while it is still arriving; it fails when the host closes too early. `null` when there is none.
   */
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;
}

/** Makes of an answer what the asker wants, at once: a whole body is not copied, but looked at where it arrived. */
export type TakeAnswer<T> = (answer: UpstreamResponse) => T;
