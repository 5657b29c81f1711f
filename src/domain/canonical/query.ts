import { err, ok, type Result } from "../../runtime/result.ts";
import type { CanonCode } from "./codes.ts";
import { asciiLower } from "./letter_case.ts";
import { percentDecodeStrict } from "./percent.ts";

/**
 * Keys in the order in which they first stand, values of a key in the order in which they stand. The order of keys means
 * nothing; `renderTarget()` sorts them.
 */
export type CanonicalQuery = ReadonlyMap<string, readonly string[]>;

/** Visible ASCII and the space. */
const VISIBLE = /^[ -~]*$/;
const ENCODED = /[%+]/;
/** Anything that is neither visible ASCII, a space nor beyond ASCII. */
const CONTROL = /[^ -~\x80-\uffff]/;

/**
 * The canonical form of a raw query, without its `?`; `null` for no query. Keys and values are decoded once, `+` means a
 * space, and A to Z become lower case; other letters keep their case. Pairs without a key are dropped once they were
 * decoded. Source: authorization 3.9.
 */
export function canonicalQuery(query: string | null): Result<CanonicalQuery, CanonCode> {
  const pairs = new Map<string, string[]>();
  if (query === null || query === "") return ok(pairs);
  const visible = VISIBLE.test(query);
  const text = visible ? asciiLower(query) : query;
  // Nearly every query needs no decoding, or only in one value.
  const isPlain = (raw: string) => visible && !ENCODED.test(raw);
  const plain = isPlain(query);
  let equals = text.indexOf("=");
  for (let start = 0, end = 0; start < text.length; start = end + 1) {
    end = text.indexOf("&", start);
    if (end < 0) end = text.length;
    if (end === start) continue;
    // Looked for again only when passed, so that a text full of ampersands is not searched once for each.
    if (equals >= 0 && equals < start) equals = text.indexOf("=", start);
    const keyEnd = equals >= 0 && equals < end ? equals : end;
    let key = text.slice(start, keyEnd);
    let value = text.slice(keyEnd + 1, end);
    if (!plain && !isPlain(key)) {
      const read = canonicalQueryText(key);
      if (!read.ok) return read;
      key = read.value;
    }
    if (!plain && !isPlain(value)) {
      const read = canonicalQueryText(value);
      if (!read.ok) return read;
      value = read.value;
    }
    if (key === "") continue;
    const values = pairs.get(key);
    if (values === undefined) pairs.set(key, [value]);
    else values.push(value);
  }
  return ok(pairs);
}

/** The canonical form of one key or one value, of a request or of a rule. */
export function canonicalQueryText(raw: string): Result<string, CanonCode> {
  const decoded = percentDecodeStrict(raw.includes("+") ? raw.replaceAll("+", " ") : raw);
  if (!decoded.ok) return decoded;
  return CONTROL.test(decoded.value) ? err("CANON_CTRL") : ok(asciiLower(decoded.value));
}
