import { err, ok, type Result } from "../../runtime/result.ts";
import type { CanonCode } from "./codes.ts";
import { asciiLower } from "./letter_case.ts";
import { percentDecodeStrict } from "./percent.ts";

/** Keys in ascending order; values of a key in the order in which they stand. */
export type CanonicalQuery = ReadonlyMap<string, readonly string[]>;

/** Visible ASCII and the space, without `%` and `+`: nothing to decode and nothing to refuse. */
const PLAIN = /^[ -$&-*,-~]*$/;
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
  const plain = PLAIN.test(query);
  const text = plain ? asciiLower(query) : query;
  let last = "";
  let sorted = true;
  for (let start = 0; start < text.length;) {
    const ampersand = text.indexOf("&", start);
    const end = ampersand < 0 ? text.length : ampersand;
    const piece = text.slice(start, end);
    start = end + 1;
    if (piece === "") continue;
    const equals = piece.indexOf("=");
    let key = equals < 0 ? piece : piece.slice(0, equals);
    let value = equals < 0 ? "" : piece.slice(equals + 1);
    if (!plain) {
      const readKey = canonicalQueryText(key);
      if (!readKey.ok) return readKey;
      const readValue = canonicalQueryText(value);
      if (!readValue.ok) return readValue;
      key = readKey.value;
      value = readValue.value;
    }
    if (key === "") continue;
    const values = pairs.get(key);
    if (values !== undefined) {
      values.push(value);
      continue;
    }
    pairs.set(key, [value]);
    sorted &&= last < key;
    last = key;
  }
  return ok(sorted ? pairs : new Map([...pairs].sort(byKey)));
}

/** The canonical form of one key or one value. */
export function canonicalQueryText(raw: string): Result<string, CanonCode> {
  const decoded = percentDecodeStrict(raw.includes("+") ? raw.replaceAll("+", " ") : raw);
  if (!decoded.ok) return decoded;
  return CONTROL.test(decoded.value) ? err("CANON_CTRL") : ok(asciiLower(decoded.value));
}

/** By UTF-16 code units: any fixed order serves. */
function byKey(left: readonly [string, unknown], right: readonly [string, unknown]): number {
  return left[0] < right[0] ? -1 : 1;
}
