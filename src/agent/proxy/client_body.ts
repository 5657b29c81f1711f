import type { BodyFraming } from "../../domain/wire/mod.ts";
import type { Sweeper, Watched } from "../../runtime/sweeper.ts";
import { refusal, RefusedError } from "./refusal.ts";

/** How much of a body is taken, and how long it may pause. */
export interface BodyBounds {
  readonly limitBytes: number;
  readonly idleMs: number;
}

/**
 * Reads the caller's body piece by piece and checks what it announced: limit, pauses, length.
 * @throws RefusedError body-too-large, body-timeout, body-incomplete
 */
class BodyReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #framing: BodyFraming;
  readonly #bounds: BodyBounds;
  readonly #sweeper: Sweeper;
  #taken = 0;

  constructor(
    body: ReadableStream<Uint8Array>,
    framing: BodyFraming,
    bounds: BodyBounds,
    sweeper: Sweeper,
  ) {
    this.#reader = body.getReader();
    this.#framing = framing;
    this.#bounds = bounds;
    this.#sweeper = sweeper;
  }

  /** Bytes taken so far. */
  get taken(): number {
    return this.#taken;
  }

  /** The next piece; `null` at the end of a complete body. */
  async next(): Promise<Uint8Array | null> {
    const piece = await this.#timed();
    if (piece === null) {
      const announced = this.#framing.kind === "length" ? this.#framing.bytes : this.#taken;
      if (this.#taken === announced) return null;
      throw new RefusedError(refusal(400, "body-incomplete", "the body is shorter than announced"));
    }
    this.#taken += piece.length;
    if (this.#taken > this.#bounds.limitBytes) {
      const detail = `the body grew over ${this.#bounds.limitBytes} bytes`;
      throw new RefusedError(refusal(413, "body-too-large", detail));
    }
    return piece;
  }

  /** Leaves the rest unread. */
  cancel(): void {
    this.#reader.cancel().catch(() => {});
  }

  async #timed(): Promise<Uint8Array | null> {
    let expired = false;
    const limit: Watched = {
      dueMs: this.#sweeper.nowMs() + this.#bounds.idleMs,
      expire: () => {
        expired = true;
        this.#sweeper.remove(limit);
        this.cancel(); // ends the read below
      },
    };
    this.#sweeper.add(limit);
    try {
      const { done, value } = await this.#reader.read();
      if (expired) throw timedOut(this.#bounds.idleMs);
      return done ? null : value;
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      if (expired) throw timedOut(this.#bounds.idleMs);
      // The runtime's errors differ between its versions and all mean this.
      throw new RefusedError(refusal(400, "body-incomplete", "the body broke off"));
    } finally {
      this.#sweeper.remove(limit);
    }
  }
}

function timedOut(idleMs: number): RefusedError {
  return new RefusedError(refusal(408, "body-timeout", `the body paused for ${idleMs} ms`));
}

/** Reads the whole body into memory. @throws RefusedError as `BodyReader` does */
export async function readWhole(
  body: ReadableStream<Uint8Array>,
  framing: BodyFraming,
  bounds: BodyBounds,
  sweeper: Sweeper,
): Promise<Uint8Array> {
  const reader = new BodyReader(body, framing, bounds, sweeper);
  const pieces: Uint8Array[] = [];
  try {
    for (;;) {
      const piece = await reader.next();
      if (piece === null) break;
      pieces.push(piece);
    }
  } catch (error) {
    reader.cancel();
    throw error;
  }
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(reader.taken);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The body as a stream that is read only as fast as it is taken, and fails with RefusedError as `BodyReader` does. */
export function checkedStream(
  body: ReadableStream<Uint8Array>,
  framing: BodyFraming,
  bounds: BodyBounds,
  sweeper: Sweeper,
): ReadableStream<Uint8Array> {
  const reader = new BodyReader(body, framing, bounds, sweeper);
  return new ReadableStream({
    async pull(controller) {
      try {
        const piece = await reader.next();
        if (piece === null) controller.close();
        else controller.enqueue(piece);
      } catch (error) {
        reader.cancel();
        controller.error(error);
      }
    },
    cancel: () => reader.cancel(),
  }, { highWaterMark: 0 });
}
