import type { HeaderField } from "../../domain/wire/client_request.ts";
import { err, ok, type Result } from "../../runtime/result.ts";
import type { Http1Fault } from "./faults.ts";
import type { HeadLimits } from "./limits.ts";
import { COLON, CR, FIELD_CONTENT, latin1, LF, SP, TAB, TOKEN_LOWER } from "./octets.ts";

/** A parsed response head. */
export interface ResponseHead {
  readonly version: "1.0" | "1.1";
  readonly status: number;
  /** May be empty. One character per byte. */
  readonly reason: string;
  /** In order of receipt; names lower-case, values without outer blanks, one character per byte; repeated fields kept apart. */
  readonly headers: readonly HeaderField[];
}

/** A parsed request head. */
export interface RequestHead {
  readonly method: string;
  /** As received. */
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /** As in `ResponseHead`. */
  readonly headers: readonly HeaderField[];
}

/**
 * Where the head ends: the index behind its blank line, or -1 when that has not arrived in `bytes[from, to)`.
 * To continue a search, pass a `from` three bytes before the old `to`.
 */
export function findHeadEnd(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from + 3; at < to; at++) {
    if (bytes[at] === LF && bytes[at - 2] === LF && bytes[at - 1] === CR && bytes[at - 3] === CR) {
      return at + 1;
    }
  }
  return -1;
}

/** How many line breaks stand before a message: they are read over. Source: RFC 9112 2.2. */
export function skipBlankLines(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] === CR || bytes[at] === LF)) at++;
  return at - from;
}

/** Like `findHeadEnd`, for the head of a client, whose lines may end with a bare line feed. */
export function findRequestEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = bytes.indexOf(LF, from);
  while (at !== -1 && at + 1 < to) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && at + 2 < to && bytes[at + 2] === LF) return at + 3;
    at = bytes.indexOf(LF, at + 1);
  }
  return -1;
}

/**
 * Whether what has arrived of a request head can never become one: it does not begin like a method, or its first line is
 * there and does not end in a version.
 */
export function isHopeless(bytes: Uint8Array, from: number, to: number): boolean {
  if (to === from) return false;
  if (TOKEN_LOWER[bytes[from]!] === 0) return true;
  const lineEnd = bytes.subarray(from, to).indexOf(LF);
  return lineEnd !== -1 && !/ HTTP\/\d\.\d\r?$/.test(latin1(bytes, from, from + lineEnd));
}

/** Parses the response head in `bytes[from, to)`, where `to` is what `findHeadEnd` returned. Source: RFC 9112 4 and 5. */
export function parseResponseHead(
  bytes: Uint8Array,
  from: number,
  to: number,
  limits: HeadLimits,
): Result<ResponseHead, Http1Fault> {
  if (to - from > limits.headBytes) return err("HEAD_TOO_LARGE");
  const text = latin1(bytes, from, to);
  const lineEnd = text.indexOf("\r\n");
  // "HTTP/1.x SP 3DIGIT [SP reason]"; some servers leave the blank before an empty reason out.
  if (!text.startsWith("HTTP/")) return err("START_LINE");
  const version = text.slice(5, 8);
  if (version !== "1.1" && version !== "1.0") return err("VERSION");
  const status = threeDigits(bytes, from + 9);
  if (status < 100 || text.charCodeAt(8) !== SP) return err("START_LINE");
  let reason = "";
  if (lineEnd > 12) {
    if (text.charCodeAt(12) !== SP) return err("START_LINE");
    for (let i = from + 13; i < from + lineEnd; i++) {
      if (FIELD_CONTENT[bytes[i]!] === 0) return err("START_LINE");
    }
    reason = text.slice(13, lineEnd);
  } else if (lineEnd < 12) {
    return err("START_LINE");
  }
  const headers = parseFields(bytes, from, from + lineEnd + 2, to, text, limits, false);
  return headers.ok ? ok({ version, status, reason, headers: headers.value }) : headers;
}

/**
 * Parses the request head in `bytes[from, to)`, where `to` is what `findHeadEnd` returned, or `findRequestEnd` where lines
 * may end with a bare line feed. Source: RFC 9112 2.2, 3 and 5.
 */
export function parseRequestHead(
  bytes: Uint8Array,
  from: number,
  to: number,
  limits: HeadLimits,
  bareLineFeeds = false,
): Result<RequestHead, Http1Fault> {
  if (to - from > limits.headBytes) return err("HEAD_TOO_LARGE");
  const text = latin1(bytes, from, to);
  const lineFeed = text.indexOf("\n");
  const isBare = text.charCodeAt(lineFeed - 1) !== CR;
  if (isBare && !bareLineFeeds) return err("START_LINE");
  const lineEnd = isBare ? lineFeed : lineFeed - 1;
  const methodEnd = text.indexOf(" ");
  const targetEnd = text.indexOf(" ", methodEnd + 1);
  if (methodEnd < 1 || targetEnd === -1 || targetEnd > lineEnd || targetEnd === methodEnd + 1) {
    return err("START_LINE");
  }
  for (let i = from; i < from + methodEnd; i++) {
    if (TOKEN_LOWER[bytes[i]!] === 0) return err("START_LINE");
  }
  for (let i = from + methodEnd + 1; i < from + targetEnd; i++) {
    const byte = bytes[i]!;
    if (byte <= SP || byte >= 127) return err("START_LINE");
  }
  if (targetEnd - methodEnd - 1 > limits.targetBytes) return err("TARGET_TOO_LONG");
  const protocol = text.slice(targetEnd + 1, lineEnd);
  if (protocol !== "HTTP/1.1" && protocol !== "HTTP/1.0") {
    return err(protocol.startsWith("HTTP/") ? "VERSION" : "START_LINE");
  }
  const fieldsAt = from + lineFeed + 1;
  const headers = parseFields(bytes, from, fieldsAt, to, text, limits, bareLineFeeds);
  if (!headers.ok) return headers;
  return ok({
    method: text.slice(0, methodEnd),
    target: text.slice(methodEnd + 1, targetEnd),
    version: protocol === "HTTP/1.1" ? "1.1" : "1.0",
    headers: headers.value,
  });
}

/** `text` is the whole head, starting at `base`; fields start at `at`. One pass over the bytes, slices of one string. */
function parseFields(
  bytes: Uint8Array,
  base: number,
  at: number,
  to: number,
  text: string,
  limits: HeadLimits,
  bareLineFeeds: boolean,
): Result<HeaderField[], Http1Fault> {
  const fields: HeaderField[] = [];
  let position = at;
  const last = bytes[to - 2] === CR ? to - 2 : to - 1; // the blank line
  while (position < last) {
    if (fields.length === limits.fields) return err("TOO_MANY_FIELDS");
    const nameStart = position;
    let upper = false;
    for (;;) {
      const byte = bytes[position]!;
      if (byte === COLON) break;
      const lower = TOKEN_LOWER[byte]!;
      if (lower === 0) return err("FIELD"); // also a folded line and a blank before the colon
      if (lower !== byte) upper = true;
      position++;
    }
    if (position === nameStart) return err("FIELD");
    const nameEnd = position++;
    while (bytes[position] === SP || bytes[position] === TAB) position++;
    const valueStart = position;
    let valueEnd = position;
    for (;;) {
      const byte = bytes[position]!;
      if (byte === CR || (byte === LF && bareLineFeeds)) break;
      if (FIELD_CONTENT[byte] === 0) return err("FIELD");
      position++;
      if (byte !== SP && byte !== TAB) valueEnd = position;
    }
    if (bytes[position] === CR) position++;
    if (bytes[position] !== LF) return err("FIELD");
    position++;
    const name = text.slice(nameStart - base, nameEnd - base);
    fields.push([
      upper ? name.toLowerCase() : name,
      text.slice(valueStart - base, valueEnd - base),
    ]);
  }
  return ok(fields);
}

function threeDigits(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 3; i++) {
    const digit = bytes[i]! - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}
