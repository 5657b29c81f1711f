import { bodyLimitBytes, splitTarget } from "../../domain/canonical/mod.ts";
import { guardTarget, type Refusal } from "../../domain/policy/mod.ts";
import {
  type ClientRequest,
  clientRequest,
  type EndpointName,
  type HeaderField,
} from "../../domain/wire/mod.ts";
import { type Http1Fault, requestFraming, type RequestHead } from "../http1/mod.ts";
import { refusal } from "./refusal.ts";

/** Whether the guards refused. */
export function isRefusal(outcome: ClientRequest | Refusal): outcome is Refusal {
  return "reason" in outcome;
}

/**
 * Makes a request of a head that was read, or says why not: the guards that need neither identity nor policy, in the order
 * of wire-protocol 9.2: syntax, declared size, method, target, traversal. They hold in every mode.
 *
 * @param dialled the endpoint that the caller dialled; `null` where that is not known
 */
export function takeIn(head: RequestHead, dialled: EndpointName | null): ClientRequest | Refusal {
  const { method } = head;
  const fields = forwardable(head.headers);
  if (fields === null) {
    return refusal(400, "header-not-ascii", "a header value has bytes above 0x7F");
  }
  const framing = requestFraming(head);
  if (!framing.ok) return refusal(400, "bad-request", "the body's length is ambiguous");
  const target = splitTarget(head.target);
  // The destination is not known yet, so the larger limit holds for what would be exempt anywhere.
  const bytes = framing.value.kind === "length" ? framing.value.bytes : 0;
  if (bytes > bodyLimitBytes(method, target.target, "wireserver")) {
    return refusal(413, "body-too-large", `a body of ${bytes} bytes is announced`);
  }
  const guarded = guardTarget(method, target, dialled);
  if ("reason" in guarded) return guarded;
  return clientRequest({ ...guarded, headers: fields, framing: framing.value });
}

/** Why bytes that are no request are refused. Source: wire-protocol 9.2, step 0. */
export function syntaxRefusal(fault: Http1Fault): Refusal {
  switch (fault) {
    case "HEAD_TOO_LARGE":
      return refusal(431, "head-too-large", "the head is too large");
    case "TOO_MANY_FIELDS":
      return refusal(431, "head-too-large", "there are too many header fields");
    case "TARGET_TOO_LONG":
      return refusal(414, "bad-request", "the target is too long");
    default:
      return refusal(400, "bad-request", SYNTAX[fault] ?? "the request is malformed");
  }
}

const SYNTAX: Partial<Record<Http1Fault, string>> = {
  START_LINE: "the request line is malformed",
  VERSION: "the version is neither HTTP/1.0 nor HTTP/1.1",
  FIELD: "a header field is malformed",
  TRUNCATED: "the head broke off",
};

const PERSISTENCE = /^[\s,]*(?:(?:close|keep-alive)[\s,]*)*$/i;

/** The fields that may go on to the host; `null` when a value has bytes above ASCII. */
function forwardable(headers: readonly HeaderField[]): readonly HeaderField[] | null {
  let kept: HeaderField[] | null = null;
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i]!;
    if (!isAsciiText(field[1])) return null;
    if (isForConnection(field)) kept ??= headers.slice(0, i);
    else kept?.push(field);
  }
  return kept ?? headers;
}

/**
 * DEVIATION D-40: whether the caller's connection stays open is between the caller and this proxy; the pooled one to the
 * host has a life of its own. Anything else in the field, such as an upgrade, passes.
 */
function isForConnection(field: HeaderField): boolean {
  switch (field[0]) {
    case "connection":
      return PERSISTENCE.test(field[1]);
    case "keep-alive":
    case "proxy-connection":
      return true;
    default:
      return false;
  }
}

/** A loop, because for text this short it is faster than a pattern. */
function isAsciiText(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 127) return false;
  }
  return true;
}
