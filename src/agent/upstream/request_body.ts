import type { BodyFraming } from "../../domain/wire/mod.ts";
import { encodeChunk } from "../http1/mod.ts";

/**
 * Sends a head and then a body as it arrives, framed as announced. Returns whether all of it went out; false when the
 * answer came before that and `isWanted` turned false, or when the body failed, which `bodyFailed` is told. The body is
 * cancelled whenever it is not read to its end; a length it does not reach is never made up for.
 *
 * @throws whatever `write` fails with
 */
export async function sendBody(
  write: (bytes: Uint8Array) => Promise<void>,
  head: Uint8Array,
  body: ReadableStream<Uint8Array>,
  framing: BodyFraming,
  isWanted: () => boolean,
  bodyFailed: (error: unknown) => void,
): Promise<boolean> {
  const reader = body.getReader();
  let left = framing.kind === "length" ? framing.bytes : Infinity;
  try {
    await write(head);
    while (isWanted()) {
      const piece = await reader.read().catch(bodyFailed);
      if (piece === undefined) return false;
      if (piece.done) {
        if (framing.kind === "chunked") await write(encodeChunk(new Uint8Array(), true));
        else if (left > 0) bodyFailed(new TypeError("a body ended before its announced length"));
        return framing.kind === "chunked" || left === 0;
      }
      left -= piece.value.length;
      if (left < 0) {
        bodyFailed(new TypeError("a body is longer than announced"));
        return false;
      }
      await write(framing.kind === "chunked" ? encodeChunk(piece.value) : piece.value);
    }
    return false;
  } finally {
    reader.cancel().catch(() => {});
  }
}
