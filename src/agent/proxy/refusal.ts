import type { Refusal, RefusalReason } from "../../domain/policy/mod.ts";
import { METHODS } from "../../domain/wire/mod.ts";

/** A refusal made by the proxy itself. */
export function refusal(status: number, reason: RefusalReason, detail: string): Refusal {
  return { status, reason, detail };
}

/** A refusal on its way up through code that waits. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  constructor(readonly refusal: Refusal) {
    super(refusal.detail);
  }
}

const ENCODER = new TextEncoder();
const PLAIN_TEXT = "text/plain; charset=utf-8";

/**
 * The answer to a refused request: the status, an empty body and `connection: close`. Only 405 and 413 say more, because
 * clients of the platform have always seen it. The reason goes to the record, never to the client.
 * Source: wire-protocol 9.2.
 */
export function refusalResponse(status: number, method: string): Response {
  switch (status) {
    case 405:
      return new Response(ENCODER.encode("Method Not Allowed"), {
        status,
        headers: [
          ["allow", METHODS.join(", ")],
          ["content-type", PLAIN_TEXT],
          ["connection", "close"],
        ],
      });
    case 413:
      return new Response(ENCODER.encode("length limit exceeded"), {
        status,
        headers: [["content-type", PLAIN_TEXT], ["connection", "close"]],
      });
    default:
      return new Response(method === "HEAD" ? lengthlessBody() : null, {
        status,
        headers: [["connection", "close"]],
      });
  }
}

/** An empty body of unknown length: the server then states no `content-length`, which it would for no body at all. */
export function lengthlessBody(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({ start: (controller) => controller.close() });
}
