import type { HeaderField } from "../wire/client_request.ts";
import { HOST_AUTHORIZATION_HEADER } from "../wire/headers.ts";
import { signingQuery } from "./signing_query.ts";

/** What a signature covers. */
export interface SignedParts {
  readonly method: string;
  /** Raw path, as it will be sent. */
  readonly path: string;
  /** Raw query, as it will be sent; `null` when the target has none. */
  readonly query: string | null;
  /** The complete head, as it will be sent; names in lower case. */
  readonly headers: readonly HeaderField[];
  /** Content of the body, without transfer coding; `null` when there is none. */
  readonly body: Uint8Array | null;
}

/** Why a request cannot be signed. The intake refuses both earlier; this is the last line of defence. */
export type SigningCode =
  | "SIGNING_HEADER_SYNTAX"
  | "SIGNING_NOT_ASCII"
  | "SIGNING_BODY_LENGTH"
  | "SIGNING_KEY";

/** A request that reached signing although it cannot be signed: a bug in the intake. Never carries a value. */
export class SigningError extends Error {
  override readonly name = "SigningError";
  constructor(readonly code: SigningCode, message: string) {
    super(message);
  }
}

const ENCODER = new TextEncoder();
/** Header values are visible ASCII, spaces and tabs; anything else could forge a line of the canonical text. */
const FORBIDDEN_IN_VALUE = /[^\t\x20-\x7e]/;
// deno-lint-ignore no-control-regex
const NOT_ASCII = /[^\x00-\x7f]/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/**
 * What the HMAC of is the signature: `METHOD LF BODY LF HEADERS PATH LF QUERY`. Bytes with a body; without one, as most
 * requests are, ASCII text, which is hashed without becoming an array first.
 * @throws SigningError SIGNING_HEADER_SYNTAX, SIGNING_NOT_ASCII
 * Source: wire-protocol 5.1 to 5.4.
 */
export function stringToSign(parts: SignedParts): Uint8Array | string {
  const head = parts.method + "\n";
  const tail = "\n" + headerLines(parts.headers) + parts.path + "\n" + signingQuery(parts.query);
  const body = parts.body;
  if (body === null || body.byteLength === 0) {
    const text = head + tail;
    if (NOT_ASCII.test(text)) throw notAscii();
    return text;
  }
  const bytes = new Uint8Array(head.length + body.byteLength + tail.length);
  writeAscii(head, bytes.subarray(0, head.length));
  bytes.set(body, head.length);
  writeAscii(tail, bytes.subarray(head.length + body.byteLength));
  return bytes;
}

function writeAscii(text: string, into: Uint8Array): void {
  const { read, written } = ENCODER.encodeInto(text, into);
  if (read !== text.length || written !== text.length) throw notAscii();
}

function notAscii(): SigningError {
  return new SigningError("SIGNING_NOT_ASCII", "sign a head that is not ASCII");
}

/** `name:value LF` for each name in ascending order; of repeated names the last field counts. */
function headerLines(fields: readonly HeaderField[]): string {
  const sorted = sortedByName(fields);
  let lines = "";
  for (let index = 0; index < sorted.length; index++) {
    const [name, value] = sorted[index]!;
    if (index + 1 < sorted.length && sorted[index + 1]![0] === name) continue;
    if (name === HOST_AUTHORIZATION_HEADER) continue;
    if (!TOKEN.test(name) || FORBIDDEN_IN_VALUE.test(value)) {
      throw new SigningError("SIGNING_HEADER_SYNTAX", "sign a header field with forbidden bytes");
    }
    lines += name + ":" + value + "\n";
  }
  return lines;
}

/**
 * The fields in ascending order of their names, equal names in their order of arrival. Heads arrive sorted or nearly so and
 * have at most a hundred fields, which is where insertion sort is the fastest.
 */
function sortedByName(fields: readonly HeaderField[]): readonly HeaderField[] {
  if (isSorted(fields)) return fields;
  const sorted = fields.slice();
  for (let index = 1; index < sorted.length; index++) {
    const field = sorted[index]!;
    let slot = index;
    while (slot > 0 && sorted[slot - 1]![0] > field[0]) {
      sorted[slot] = sorted[slot - 1]!;
      slot--;
    }
    sorted[slot] = field;
  }
  return sorted;
}

function isSorted(fields: readonly HeaderField[]): boolean {
  for (let index = 1; index < fields.length; index++) {
    if (fields[index - 1]![0] > fields[index]![0]) return false;
  }
  return true;
}
