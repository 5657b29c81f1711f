import type { TargetParts } from "../wire/client_request.ts";

/** The four shapes of a request target. Source: RFC 9112, section 3.2. */
export type TargetForm = "origin" | "absolute" | "asterisk" | "authority";

/** A split target with its shape and, in absolute form, the authority it names. */
export interface RawTarget extends TargetParts {
  readonly form: TargetForm;
  /** Text between `//` and the path in absolute form; `null` in the other forms. */
  readonly authority: string | null;
}

/**
 * Splits a request target without decoding or normalising anything. Total: every text has a split.
 * The fragment is removed first, from the target too. Source: wire-protocol 5.3.
 */
export function splitTarget(text: string): RawTarget {
  const hash = text.indexOf("#");
  const target = hash < 0 ? text : text.slice(0, hash);
  const mark = target.indexOf("?");
  const query = mark < 0 ? null : target.slice(mark + 1);
  const stem = mark < 0 ? target : target.slice(0, mark);
  if (stem.startsWith("/")) {
    return { target, path: stem, query, form: "origin", authority: null };
  }
  const scheme = SCHEME.exec(stem);
  if (scheme !== null) {
    const start = scheme[0].length;
    const slash = stem.indexOf("/", start);
    const authority = slash < 0 ? stem.slice(start) : stem.slice(start, slash);
    const path = slash < 0 ? "/" : stem.slice(slash);
    return { target, path, query, form: "absolute", authority };
  }
  if (stem === "*") return { target, path: "*", query, form: "asterisk", authority: null };
  return { target, path: "", query, form: "authority", authority: null };
}

/** `scheme://` at the very start; a `://` inside a path or query does not make a target absolute. */
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]{0,31}:\/\//;
