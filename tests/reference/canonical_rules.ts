import {
  canonicalizeReference,
  canonicalPathReference,
  canonicalQueryReference,
} from "./canonical.ts";
import type { ReferencePrivilege } from "./legacy.ts";

/** A canonical pattern. Source: authorization 3.11. */
export interface ReferencePattern {
  readonly segments: readonly string[];
  readonly query: readonly (readonly [string, readonly string[]])[];
}

/**
 * The pattern of a privilege, or the code for which it has none. `joined`: as the specification's own agent builds it, with
 * all constraints in one query; otherwise each key and value by itself, as this product does.
 */
export function patternOf(
  privilege: Pick<ReferencePrivilege, "path" | "constraints">,
  joined: boolean,
): ReferencePattern | string {
  const path = canonicalPathReference(privilege.path);
  if (typeof path === "string") return path;
  const text = privilege.constraints.map(([key, value]) =>
    joined ? `${key}=${value}` : `${escapeSeparators(key, true)}=${escapeSeparators(value, false)}`
  ).join("&");
  const query = canonicalQueryReference(text);
  return typeof query === "string" ? query : { segments: path.segments, query };
}

function escapeSeparators(text: string, isKey: boolean): string {
  const escaped = text.replaceAll("&", "%26");
  return isKey ? escaped.replaceAll("=", "%3D") : escaped;
}

/**
 * Whether a pattern matches a request, or the code of the request. `once`: as this product does it, a constraint holds only
 * for a key that occurs once; one that occurs more often grants nothing and still restricts. Source: authorization 3.11, W-16.
 */
export function patternMatches(
  pattern: ReferencePattern,
  method: string,
  target: string,
  once: boolean,
): boolean | "restricts" | { readonly code: string } {
  const request = canonicalizeReference(method, target);
  if (typeof request === "string") return { code: request };
  for (const [index, segment] of pattern.segments.entries()) {
    if (request.segments[index] !== segment) return false;
  }
  let repeated = false;
  for (const [key, accepted] of pattern.query) {
    const values = request.query.find(([name]) => name === key)?.[1] ?? [];
    if (once && values.length > 1) repeated = true;
    else if (!values.some((value) => accepted.includes(value))) return false;
  }
  return repeated ? "restricts" : true;
}
