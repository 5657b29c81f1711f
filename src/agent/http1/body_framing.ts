import type { BodyFraming, HeaderField } from "../../domain/wire/client_request.ts";
import { err, ok, type Result } from "../../runtime/result.ts";
import type { Http1Fault } from "./faults.ts";
import type { RequestHead, ResponseHead } from "./head_reader.ts";

export type { BodyFraming };

/** How a response's body ends. */
export type ResponseFraming = BodyFraming | { readonly kind: "until-close" };

const NONE: BodyFraming = Object.freeze({ kind: "none" });
const CHUNKED: BodyFraming = Object.freeze({ kind: "chunked" });
const UNTIL_CLOSE: ResponseFraming = Object.freeze({ kind: "until-close" });

/**
 * How the body of a response to `method` ends. A message with two framings is refused (`FRAMING`), not interpreted, and
 * so is any transfer coding but a single `chunked`. Source: RFC 9112 6.3.
 */
export function responseFraming(
  head: ResponseHead,
  method: string,
): Result<ResponseFraming, Http1Fault> {
  const { status } = head;
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return ok(NONE);
  const declared = declaredFraming(head.headers, head.version);
  if (!declared.ok) return declared;
  return declared.value === null ? ok(UNTIL_CLOSE) : ok(declared.value);
}

/** How the body of a request ends; without a declaration there is none. Refuses what `responseFraming` refuses. */
export function requestFraming(head: RequestHead): Result<BodyFraming, Http1Fault> {
  const declared = declaredFraming(head.headers, head.version);
  if (!declared.ok) return declared;
  return declared.value === null ? ok(NONE) : ok(declared.value);
}

function declaredFraming(
  headers: readonly HeaderField[],
  version: "1.0" | "1.1",
): Result<BodyFraming | null, Http1Fault> {
  let coding: string | null = null;
  let length = -1;
  for (let i = 0; i < headers.length; i++) {
    const field = headers[i]!;
    if (field[0] === "content-length") {
      const bytes = parseContentLength(field[1]);
      if (bytes === -1 || (length !== -1 && length !== bytes)) return err("FRAMING");
      length = bytes;
    } else if (field[0] === "transfer-encoding") {
      if (coding !== null) return err("FRAMING");
      coding = field[1];
    }
  }
  if (coding === null) return ok(length === -1 ? null : { kind: "length", bytes: length });
  if (length !== -1 || version === "1.0" || coding.toLowerCase() !== "chunked") {
    return err("FRAMING");
  }
  return ok(CHUNKED);
}

/** Decimal digits, or a list of the same digits; -1 otherwise. At most 15 digits, so that the number is exact. */
export function parseContentLength(value: string): number {
  if (/^[0-9]{1,15}$/.test(value)) return Number(value);
  const parts = value.split(",");
  const first = parts[0]!.trim();
  if (!/^[0-9]{1,15}$/.test(first)) return -1;
  return parts.every((part) => part.trim() === first) ? Number(first) : -1;
}
