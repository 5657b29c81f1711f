import type { BodyFraming } from "../../domain/wire/mod.ts";
import { refusal, RefusedError } from "./refusal.ts";

/** Where the pieces of a body come from; `null` is its end. @throws RefusedError body-timeout, body-incomplete */
export interface BodySource {
  nextPiece(): Promise<Uint8Array<ArrayBuffer> | null>;
}

/** Reads the whole body into memory. @throws RefusedError body-too-large, and what the source fails with */
export async function readWhole(
  source: BodySource,
  framing: BodyFraming,
  limitBytes: number,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let taken = 0;
  for (;;) {
    const piece = await source.nextPiece();
    if (piece === null) break;
    pieces.push(piece);
    taken += piece.length;
    if (taken > limitBytes) throw tooLarge(limitBytes);
    if (framing.kind === "length" && taken === framing.bytes) break;
  }
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(taken);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The body as a stream that is read only as fast as it is taken, and fails with RefusedError as `readWhole` does. */
export function checkedStream(source: BodySource, limitBytes: number): ReadableStream<Uint8Array> {
  let taken = 0;
  return new ReadableStream({
    async pull(controller) {
      try {
        const piece = await source.nextPiece();
        if (piece === null) return controller.close();
        taken += piece.length;
        if (taken > limitBytes) throw tooLarge(limitBytes);
        controller.enqueue(piece);
      } catch (error) {
        controller.error(error);
      }
    },
  }, { highWaterMark: 0 });
}

function tooLarge(limitBytes: number): RefusedError {
  return new RefusedError(refusal(413, "body-too-large", `the body grew over ${limitBytes} bytes`));
}
