import { Buffer, isAscii } from "node:buffer";
import {
  FORWARDED_MARKER_VALUE,
  type HeaderField,
  HOST_AUTHORIZATION_HEADER,
} from "../../domain/wire/mod.ts";
import type { UpstreamResponse } from "../upstream/mod.ts";
import { lengthlessBody } from "./refusal.ts";
import type { ServerTraits } from "./server_traits.ts";

/** A host's answer made ready for the caller. */
export interface Reply {
  readonly response: Response;
  /** Whether the caller's connection is to be closed afterwards. */
  readonly closes: boolean;
  readonly isStream: boolean;
}

/** Statuses that have no body whatever the host sent. */
const BODILESS: ReadonlySet<number> = new Set([101, 204, 205, 304]);

/** Whether the runtime can say this status; others cannot be relayed. */
export function isRelayable(status: number): boolean {
  return status === 101 || (status >= 200 && status <= 599);
}

/**
 * Passes the host's answer on: status, fields in their order with repetitions, body. The marker is set, whatever the host
 * sent under that name. The server adds `date` where it is missing and does its own framing, so the host's connection
 * fields stay here; a close is passed on, as is everything of a 101, after which the connection is closed.
 * Source: wire-protocol 9.6.
 */
export function reply(answer: UpstreamResponse, method: string, traits: ServerTraits): Reply {
  const { status } = answer;
  const body = bodyOf(answer, method);
  const headers: [string, string][] = [];
  let closes = status === 101;
  let isTyped = false;
  for (let i = 0; i < answer.headers.length; i++) {
    const field = answer.headers[i]!;
    switch (field[0]) {
      case "connection":
        if (status === 101) headers.push([field[0], field[1]]);
        else if (hasClose(field)) closes = true;
        break;
      case "content-length":
        // A body at hand has its length anyway; stated twice it would be sent twice by some versions.
        if (!(body instanceof Uint8Array)) headers.push([field[0], field[1]]);
        break;
      case "transfer-encoding":
        // What was chunked stays chunked; the server frames it anew.
        if (body !== null) headers.push([field[0], field[1]]);
        break;
      case "keep-alive":
      case "proxy-connection":
      case "trailer":
      case HOST_AUTHORIZATION_HEADER:
        break;
      default:
        if (field[0] === "content-type") isTyped = true;
        headers.push(field as [string, string]);
    }
  }
  if (closes && status !== 101) headers.push(["connection", "close"]);
  headers.push([HOST_AUTHORIZATION_HEADER, FORWARDED_MARKER_VALUE]);
  if (traits.compresses) forbidTransformation(headers);
  return {
    response: new Response(isTyped ? asText(body) : body, { status, headers }),
    closes,
    isStream: body instanceof ReadableStream,
  };
}

function bodyOf(answer: UpstreamResponse, method: string): UpstreamResponse["body"] {
  const { status, body, headers } = answer;
  if (BODILESS.has(status)) {
    if (body instanceof ReadableStream) body.cancel().catch(() => {});
    return null;
  }
  if (method !== "HEAD") return body;
  return headers.some((field) => field[0] === "content-length") ? null : lengthlessBody();
}

/**
 * A whole ASCII body as text, which the runtime sends as the same bytes and at less cost than an array. Only for an answer
 * that states its type: to text without one the runtime adds one.
 */
function asText(body: UpstreamResponse["body"]): UpstreamResponse["body"] | string {
  if (!(body instanceof Uint8Array) || !isAscii(body)) return body;
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
}

function hasClose(field: HeaderField): boolean {
  return field[1].toLowerCase().split(",").some((token) => token.trim() === "close");
}

/** Answers reach the caller as the host sent them: a server that would compress them is told not to. */
function forbidTransformation(headers: [string, string][]): void {
  const at = headers.findIndex((field) => field[0] === "cache-control");
  if (at === -1) headers.push(["cache-control", "no-transform"]);
  else headers[at] = ["cache-control", `${headers[at]![1]}, no-transform`];
}
