import type { Refusal, RefusalReason } from "../../domain/policy/mod.ts";
import { type HeaderField, METHODS } from "../../domain/wire/mod.ts";
import { type Answer, localAnswer } from "./answer.ts";

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

const PLAIN_TEXT: HeaderField = Object.freeze(["content-type", "text/plain; charset=utf-8"]);
const ALLOW: HeaderField = Object.freeze(["allow", METHODS.join(", ")]);

/**
 * The answer to a refused request: the status, an empty body and `connection: close`. Only 405 and 413 say more, because
 * clients of the platform have always seen it. The reason goes to the record, never to the client.
 * Source: wire-protocol 9.2.
 */
export function refusalAnswer(status: number, method: string, date: string): Answer {
  switch (status) {
    case 405:
      return localAnswer(status, [ALLOW, PLAIN_TEXT], "Method Not Allowed", method, date, true);
    case 413:
      return localAnswer(status, [PLAIN_TEXT], "length limit exceeded", method, date, true);
    default:
      return localAnswer(status, [], "", method, date, true);
  }
}
