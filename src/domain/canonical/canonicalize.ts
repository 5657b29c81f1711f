import { err, ok, type Result } from "../../runtime/result.ts";
import { isMethod, type Method } from "../wire/client_request.ts";
import type { CanonCode } from "./codes.ts";
import { classifyAuthority, type Destination, NO_AUTHORITY } from "./destination.ts";
import { type CanonicalPath, canonicalPath } from "./path.ts";
import { type CanonicalQuery, canonicalQuery } from "./query.ts";

/** A request as it was received: in origin, absolute or asterisk form. */
export interface RawRequest {
  readonly method: string;
  readonly target: string;
}

/** The one form that all spellings of a request share. Source: authorization 3.7. */
export interface CanonicalRequest extends CanonicalPath {
  readonly method: Method;
  readonly destination: Destination;
  readonly query: CanonicalQuery;
}

/** A target taken apart, before anything of it is judged. */
interface RawParts {
  readonly scheme: string | null;
  readonly authority: string | null;
  readonly path: string;
  readonly query: string | null;
}

const SLASH = 0x2f;
const HTTP = /^http$/i;
const ROOT_PATH: CanonicalPath = Object.freeze({
  segments: Object.freeze([""] as const),
  trailingSlash: false,
});

/**
 * Brings a request into its canonical form. Total: every text has one or a code, the code of the first check that failed, and
 * nothing is thrown. A code means that the request is denied. Source: authorization 3.7 and 3.8.
 */
export function canonicalize(raw: RawRequest): Result<CanonicalRequest, CanonCode> {
  const parts = takeApart(raw.target);
  if (parts.scheme !== null && !HTTP.test(parts.scheme)) return err("CANON_SCHEME");
  const { method } = raw;
  if (!isMethod(method)) return err("CANON_METHOD");
  let destination = NO_AUTHORITY;
  if (parts.authority !== null) {
    const classified = classifyAuthority(parts.authority);
    if (!classified.ok) return classified;
    destination = classified.value;
  }
  const path = parts.path === "/" ? ok(ROOT_PATH) : canonicalPath(parts.path);
  if (!path.ok) return path;
  const query = canonicalQuery(parts.query);
  if (!query.ok) return query;
  const { segments, trailingSlash } = path.value;
  return ok({ method, destination, segments, trailingSlash, query: query.value });
}

/** Takes a target apart at its first `#` and its first `?`, and at the slashes before them. Nothing is decoded. */
function takeApart(text: string): RawParts {
  const hash = text.indexOf("#");
  const target = hash < 0 ? text : text.slice(0, hash);
  const mark = target.indexOf("?");
  const query = mark < 0 ? null : target.slice(mark + 1);
  const stem = mark < 0 ? target : target.slice(0, mark);
  if (stem.charCodeAt(0) === SLASH || stem === "*" || stem === "") {
    return { scheme: null, authority: null, path: stem, query };
  }
  const slash = stem.indexOf("/");
  if (slash > 0 && stem[slash - 1] === ":" && stem[slash + 1] === "/") {
    const start = slash + 2;
    const end = stem.indexOf("/", start);
    return {
      scheme: stem.slice(0, slash - 1),
      authority: end < 0 ? stem.slice(start) : stem.slice(start, end),
      path: end < 0 ? "" : stem.slice(end),
      query,
    };
  }
  // Without a scheme all of it is an authority. What a slash or a query follows is no target at all; taken whole, with its
  // slash or mark, it is no host either.
  return { scheme: null, authority: target, path: "", query: null };
}
