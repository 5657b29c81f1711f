import { percentDecodeLossy, unicodeLower } from "../canonical/mod.ts";
import type { Privilege } from "../wire/key_status.ts";
import type { QueryValues } from "./grant_tree.ts";
import type { Question } from "./question.ts";

/**
 * A request as the legacy matcher reads it: the path decoded once, lossily, in lower case; what follows an escaped `?` is a
 * second query. Source: authorization 3.1 and 3.2.
 */
export class LegacyRequest {
  readonly path: string;
  readonly #query: string | null;
  readonly #embedded: string | null;
  #values: Map<string, readonly string[]> | null = null;

  constructor(question: Pick<Question, "path" | "query">) {
    const decoded = decodeLower(question.path);
    const mark = decoded.indexOf("?");
    this.path = mark < 0 ? decoded : decoded.slice(0, mark);
    this.#embedded = mark < 0 ? null : decoded.slice(mark + 1);
    this.#query = question.query;
  }

  /** The first value of each key; later ones are never looked at. Taken apart when first asked for. */
  values(): QueryValues {
    if (this.#values === null) {
      this.#values = new Map();
      if (this.#query !== null) addFirstValues(this.#query, this.#values);
      if (this.#embedded !== null) addFirstValues(this.#embedded, this.#values);
    }
    return this.#values;
  }
}

/**
 * Whether one privilege, in lower case, matches: the path starts with its path, as text, and the first value of each of its
 * keys is its value. The index gives the same answers for all privileges at once. Source: authorization 3.2.
 */
export function legacyMatches(privilege: Privilege, request: LegacyRequest): boolean {
  if (!request.path.startsWith(privilege.path)) return false;
  for (const [key, value] of privilege.queryParameters ?? []) {
    if (request.values().get(key)?.[0] !== value) return false;
  }
  return true;
}

/**
 * A privilege as it is compiled: path, keys and values in lower case, nothing decoded. Of keys that become equal the last
 * one counts. Source: authorization 1.4.
 */
export function lowerPrivilege(privilege: Privilege): Privilege {
  const { name, path, queryParameters } = privilege;
  if (queryParameters === null) return { name, path: unicodeLower(path), queryParameters: null };
  const lowered = new Map<string, string>();
  for (const [key, value] of queryParameters) lowered.set(unicodeLower(key), unicodeLower(value));
  return { name, path: unicodeLower(path), queryParameters: lowered };
}

function addFirstValues(query: string, values: Map<string, readonly string[]>): void {
  for (let start = 0; start < query.length;) {
    const ampersand = query.indexOf("&", start);
    const end = ampersand < 0 ? query.length : ampersand;
    const equals = query.indexOf("=", start);
    const keyEnd = equals < 0 || equals > end ? end : equals;
    if (keyEnd > start) {
      const key = decodeLower(query.slice(start, keyEnd));
      if (!values.has(key)) values.set(key, [decodeLower(query.slice(keyEnd + 1, end))]);
    }
    start = end + 1;
  }
}

function decodeLower(text: string): string {
  return unicodeLower(percentDecodeLossy(text));
}
