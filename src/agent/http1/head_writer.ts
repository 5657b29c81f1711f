import type { HeaderField } from "../../domain/wire/client_request.ts";
import { CR, LF, SP, TAB } from "./octets.ts";

/**
 * The bytes of a request head: exactly the fields given, in their order, and nothing else.
 *
 * @throws TypeError when a part holds a line break, another control or a character above 0x7F: such a head would say
 * something other than what was checked and signed.
 */
export function encodeRequestHead(
  method: string,
  target: string,
  headers: readonly HeaderField[],
  version: "1.0" | "1.1" = "1.1",
): Uint8Array<ArrayBuffer> {
  return encodeRequestMessage(method, target, headers, null, version);
}

/** Like `encodeRequestHead`, followed by `body`, in one buffer, so that one write sends both. @throws TypeError as above. */
export function encodeRequestMessage(
  method: string,
  target: string,
  headers: readonly HeaderField[],
  body: Uint8Array | null,
  version: "1.0" | "1.1" = "1.1",
): Uint8Array<ArrayBuffer> {
  return encode(`${method} ${target} HTTP/${version}\r\n`, headers, body);
}

/** The bytes of a response head, for whoever plays the host. @throws TypeError as `encodeRequestHead` does. */
export function encodeResponseHead(
  status: number,
  reason: string,
  headers: readonly HeaderField[],
  version: "1.0" | "1.1" = "1.1",
): Uint8Array<ArrayBuffer> {
  return encode(`HTTP/${version} ${status} ${reason}\r\n`, headers, null);
}

/**
 * Like `encodeRequestMessage`, into `into` when it fits there. Returns the bytes, a part of `into` or an array of their
 * own: for a connection that sends one message after the other. @throws TypeError as above
 */
export function encodeRequestInto(
  into: Uint8Array<ArrayBuffer>,
  method: string,
  target: string,
  headers: readonly HeaderField[],
  body: Uint8Array | null,
): Uint8Array<ArrayBuffer> {
  return encode(`${method} ${target} HTTP/1.1\r\n`, headers, body, into);
}

/**
 * The bytes of a response for a caller, a part of `into` when it fits there. The fields come from a parsed head or are the
 * agent's own: one character per byte, no line breaks. `more` is finished lines that follow them.
 */
export function encodeResponseInto(
  into: Uint8Array<ArrayBuffer>,
  version: "1.0" | "1.1",
  status: number,
  reason: string,
  headers: readonly HeaderField[],
  more: string,
  body: Uint8Array | null,
): Uint8Array<ArrayBuffer> {
  let text = `HTTP/${version} ${status} ${reason}\r\n`;
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i]!;
    text += field[0] + ": " + field[1] + "\r\n";
  }
  text += more + "\r\n";
  const length = text.length + (body === null ? 0 : body.length);
  const bytes = into.length < length ? new Uint8Array(length) : into.subarray(0, length);
  const { read, written } = ENCODER.encodeInto(text, bytes);
  // Above ASCII a character would have become two bytes.
  if (read !== text.length || written !== text.length) writeLatin1(text, bytes);
  if (body !== null) bytes.set(body, text.length);
  return bytes;
}

function writeLatin1(text: string, into: Uint8Array): void {
  for (let i = 0; i < text.length; i++) into[i] = text.charCodeAt(i);
}

const ENCODER = new TextEncoder();

function encode(
  startLine: string,
  headers: readonly HeaderField[],
  body: Uint8Array | null,
  into: Uint8Array<ArrayBuffer> | null = null,
): Uint8Array<ArrayBuffer> {
  let text = startLine;
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i]!;
    text += field[0] + ": " + field[1] + "\r\n";
  }
  text += "\r\n";
  const length = text.length + (body === null ? 0 : body.length);
  const bytes = into === null || into.length < length
    ? new Uint8Array(length)
    : into.subarray(0, length);
  const { read, written } = ENCODER.encodeInto(text, bytes);
  if (read !== text.length || written !== text.length) {
    throw new TypeError("a head to be written holds a character above 0x7F");
  }
  if (!isOneLinePerPart(bytes, written, headers.length + 2)) {
    throw new TypeError("a head to be written holds a line break or another control");
  }
  if (body !== null) bytes.set(body, written);
  return bytes;
}

/**
 * INVARIANT: a head of n fields has exactly n + 2 line ends, each CR LF, and no other control. One pass over the bytes
 * proves for all parts at once that none of them smuggled a line in.
 */
function isOneLinePerPart(bytes: Uint8Array, end: number, lines: number): boolean {
  let found = 0;
  for (let i = 0; i < end; i++) {
    const byte = bytes[i]!;
    if (byte >= SP) {
      if (byte === 127) return false;
    } else if (byte === CR) {
      if (bytes[i + 1] !== LF) return false;
      i++;
      found++;
    } else if (byte !== TAB) {
      return false;
    }
  }
  return found === lines;
}
