import {
  FORWARDED_MARKER_VALUE,
  type HeaderField,
  HOST_AUTHORIZATION_HEADER,
} from "../../domain/wire/mod.ts";
import type { UpstreamResponse } from "../upstream/mod.ts";
import type { Answer } from "./answer.ts";

/** Statuses that have no body whatever the host sent. */
const BODILESS: ReadonlySet<number> = new Set([101, 204, 205, 304]);

const MARKER: HeaderField = Object.freeze([HOST_AUTHORIZATION_HEADER, FORWARDED_MARKER_VALUE]);

/**
 * The host's answer as it goes to the caller: status, phrase, fields in their order with repetitions, body. The marker is
 * set, whatever the host sent under that name. Fields about the host's own connection stay here; a close is passed on, as
 * is everything of a 101, after which the connection is closed.
 *
 * @param date for an answer without one
 * Source: wire-protocol 9.6.
 */
export function reply(answer: UpstreamResponse, method: string, date: string): Answer {
  const { status } = answer;
  const body = bodyOf(answer, method);
  const headers: HeaderField[] = [];
  let closes = status === 101;
  let isDated = false;
  let hasLength = false;
  for (let i = 0; i < answer.headers.length; i++) {
    const field = answer.headers[i]!;
    switch (field[0]) {
      case "connection":
        if (status === 101) headers.push(field);
        else if (hasClose(field)) closes = true;
        break;
      case "content-length":
        // A list of equal lengths was understood; one of them is enough.
        if (hasLength || (body === null && method !== "HEAD" && status !== 304)) break;
        hasLength = true;
        headers.push(body instanceof Uint8Array ? [field[0], String(body.length)] : field);
        break;
      case "transfer-encoding":
      case "keep-alive":
      case "proxy-connection":
      case "trailer":
      case HOST_AUTHORIZATION_HEADER:
        break;
      default:
        if (field[0] === "date") isDated = true;
        headers.push(field);
    }
  }
  if (!hasLength && body instanceof Uint8Array) {
    headers.push(["content-length", String(body.length)]);
  } else if (body === null && !hasLength && needsLength(status, method)) {
    headers.push(["content-length", "0"]);
  }
  if (!isDated) headers.push(["date", date]);
  headers.push(MARKER);
  return { status, reason: answer.reason, headers, body, closes };
}

function bodyOf(answer: UpstreamResponse, method: string): UpstreamResponse["body"] {
  const { status, body } = answer;
  if (method !== "HEAD" && !BODILESS.has(status)) return body;
  if (body instanceof ReadableStream) body.cancel().catch(() => {});
  return null;
}

/** Whether the caller would wait for a body if no length were stated. */
function needsLength(status: number, method: string): boolean {
  return method !== "HEAD" && status !== 101 && status !== 204 && status !== 304;
}

function hasClose(field: HeaderField): boolean {
  return field[1].toLowerCase().split(",").some((token) => token.trim() === "close");
}
