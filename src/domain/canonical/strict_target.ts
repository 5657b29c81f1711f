import { escapeAt } from "./percent.ts";

/** What makes a target ambiguous: servers behind the agent may read it in another way than the matchers do. */
export type StrictFault =
  | "STRICT_FORM"
  | "STRICT_PCT"
  | "STRICT_BACKSLASH"
  | "STRICT_ENCODED_SLASH"
  | "STRICT_DOUBLE_ENCODING"
  | "STRICT_CONTROL"
  | "STRICT_NON_ASCII"
  | "STRICT_SEMICOLON"
  | "STRICT_EMBEDDED_QUERY"
  | "STRICT_FRAGMENT"
  | "STRICT_EMPTY_SEGMENT"
  | "STRICT_DOT_SEGMENT"
  | "STRICT_SEGMENT_END";

const SLASH = 0x2f;
const DOT = 0x2e;
const SPACE = 0x20;

/**
 * What is ambiguous about a target, the first from the left; `null` when every server must read it as the matchers do. Used
 * in `enforce` on top of both matchers: what one of them reads as a harmless path, a server may read as a guarded one.
 *
 * The path may have no backslash, `;`, `?`, `#`, percent sign, control character or character beyond ASCII, raw or escaped,
 * no escaped slash, no segment that is empty, `.` or `..` or that ends with a dot or a space. A slash at its end is fine.
 * In the query escapes are part of ordinary values (`resource=https%3A%2F%2F...`) and its own pipeline judges them; only a raw
 * `;` is refused, because some servers separate pairs by it and would see a parameter that the matchers do not.
 * DEVIATION D-83. Source: authorization W-13, item 2.
 */
export function strictTarget(path: string, query: string | null): StrictFault | null {
  if (path.charCodeAt(0) !== SLASH) return "STRICT_FORM";
  let segmentStart = 1;
  let segmentLength = 0;
  let last = 0;
  for (let at = 1; at < path.length; at++) {
    let code = path.charCodeAt(at);
    if (code === SLASH) {
      if (segmentLength === 0) return "STRICT_EMPTY_SEGMENT";
      const fault = faultOfSegment(path, segmentStart, segmentLength, last);
      if (fault !== null) return fault;
      segmentStart = at + 1;
      segmentLength = 0;
      last = 0;
      continue;
    }
    if (code === 0x25) {
      code = escapeAt(path, at);
      if (code < 0) return "STRICT_PCT";
      if (code === SLASH) return "STRICT_ENCODED_SLASH";
      at += 2;
    }
    if (!isOrdinary(code)) return faultOfCharacter(code);
    segmentLength++;
    last = code;
  }
  const fault = faultOfSegment(path, segmentStart, segmentLength, last);
  if (fault !== null) return fault;
  return query !== null && query.includes(";") ? "STRICT_SEMICOLON" : null;
}

/** Whether the character, raw or decoded, may stand in a path: visible ASCII or a space, without `#`, `%`, `;`, `?` and `\`. */
function isOrdinary(code: number): boolean {
  return code >= SPACE && code < 0x7f && code !== 0x23 && code !== 0x25 && code !== 0x3b &&
    code !== 0x3f && code !== 0x5c;
}

function faultOfCharacter(code: number): StrictFault {
  switch (code) {
    case 0x23:
      return "STRICT_FRAGMENT";
    case 0x25:
      return "STRICT_DOUBLE_ENCODING";
    case 0x3b:
      return "STRICT_SEMICOLON";
    case 0x3f:
      return "STRICT_EMBEDDED_QUERY";
    case 0x5c:
      return "STRICT_BACKSLASH";
    default:
      return code < SPACE || code === 0x7f ? "STRICT_CONTROL" : "STRICT_NON_ASCII";
  }
}

/** `length` counts decoded characters, `last` is the last of them. */
function faultOfSegment(
  path: string,
  start: number,
  length: number,
  last: number,
): StrictFault | null {
  if (last === SPACE) return "STRICT_SEGMENT_END";
  if (last !== DOT) return null;
  const first = path.charCodeAt(start) === DOT ? DOT : escapeAt(path, start);
  return length === 1 || (length === 2 && first === DOT)
    ? "STRICT_DOT_SEGMENT"
    : "STRICT_SEGMENT_END";
}
