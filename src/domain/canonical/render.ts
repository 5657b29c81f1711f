import type { CanonicalRequest } from "./canonicalize.ts";

/** What a rendering needs of a canonical request. */
export type Renderable = Pick<CanonicalRequest, "segments" | "trailingSlash" | "query">;

const PATH_ESCAPED = /[\0-\x20%#?;\x7f]|[^\0-\x7f]+/g;
const QUERY_ESCAPED = /[\0-\x20%#&=+\x7f]|[^\0-\x7f]+/g;

/**
 * Writes path and query as a target in origin form, so that its canonical form is the same again. Keys are sorted, by UTF-16
 * code units.
 * DEVIATION D-82: one slash at the start, where others write two. Source: authorization 3.12.
 */
export function renderTarget(request: Renderable): string {
  const { segments, trailingSlash, query } = request;
  let target = "";
  for (let index = 1; index < segments.length; index++) {
    target += "/" + segments[index]!.replace(PATH_ESCAPED, escaped);
  }
  if (target === "" || trailingSlash) target += "/";
  let separator = "?";
  for (const key of [...query.keys()].sort()) {
    const name = key.replace(QUERY_ESCAPED, escaped);
    for (const value of query.get(key)!) {
      target += `${separator}${name}=${value.replace(QUERY_ESCAPED, escaped)}`;
      separator = "&";
    }
  }
  return target;
}

/** Percent escapes, in upper-case hexadecimal, of the bytes of the text in UTF-8. */
function escaped(text: string): string {
  let escapes = "";
  for (const byte of new TextEncoder().encode(text)) {
    escapes += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escapes;
}
