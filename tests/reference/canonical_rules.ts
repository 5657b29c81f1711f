import {
  canonicalizeReference,
  canonicalPathReference,
  canonicalQueryReference,
  canonicalTextReference,
  type ReferenceCanonical,
} from "./canonical.ts";
import type { CallerDocument, ItemDocument } from "./documents.ts";
import {
  compileReference,
  identityMatches,
  type ReferenceItem,
  type ReferencePrivilege,
} from "./legacy.ts";

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
  if (!joined) return separatePattern(path.segments, privilege.constraints);
  const text = privilege.constraints.map(([key, value]) => `${key}=${value}`).join("&");
  const query = canonicalQueryReference(text);
  return typeof query === "string" ? query : { segments: path.segments, query };
}

/** A key that is empty, or that comes twice once decoded, can be in no request exactly once: no pattern. */
function separatePattern(
  segments: readonly string[],
  constraints: ReferencePrivilege["constraints"],
): ReferencePattern | string {
  const query: [string, readonly string[]][] = [];
  for (const [key, value] of constraints) {
    const keyOnly = canonicalTextReference(key);
    const valueOnly = canonicalTextReference(value);
    if (keyOnly.code !== undefined) return keyOnly.code;
    if (valueOnly.code !== undefined) return valueOnly.code;
    if (keyOnly.text === "") return "EMPTY_KEY";
    if (query.some(([known]) => known === keyOnly.text)) return "REPEATED_KEY";
    query.push([keyOnly.text, [valueOnly.text]]);
  }
  query.sort(([left], [right]) => left < right ? -1 : 1);
  return { segments, query };
}

/**
 * Whether a pattern matches a request. `once`: as this product does it, a constraint holds only
 * for a key that occurs once; one that occurs more often grants nothing and still restricts. Source: authorization 3.11, W-16.
 */
export function patternMatches(
  pattern: ReferencePattern,
  request: ReferenceCanonical,
  once: boolean,
): boolean | "restricts" {
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

/** An item whose missing lists are taken for empty ones, with the patterns of its privileges. */
export interface StrictItem {
  readonly item: ReferenceItem;
  readonly patterns: ReadonlyMap<string, ReferencePattern>;
}

/** A privilege without pattern is left out. Source: authorization 3.11 and W-08. */
export function compileStrict(document: ItemDocument): StrictItem {
  const { privileges, roles, identities, roleAssignments } = document.rules ?? {};
  const item = compileReference({
    ...document,
    rules: {
      privileges: privileges ?? [],
      roles: roles ?? [],
      identities: identities ?? [],
      roleAssignments: roleAssignments ?? [],
    },
  });
  const patterns = new Map<string, ReferencePattern>();
  for (const privilege of item.privileges.values()) {
    const pattern = patternOf(privilege, false);
    if (typeof pattern !== "string") patterns.set(privilege.name, pattern);
  }
  return { item, patterns };
}

/**
 * The verdict of the canonical matcher as this product has it: `allow`, `deny` or the code of the request.
 * Source: authorization 3.4, 3.11 and W-16.
 */
export function evaluateCanonical(
  { item, patterns }: StrictItem,
  method: string,
  target: string,
  caller: CallerDocument,
): string {
  if (item.mode === "disabled") return "allow";
  const request = canonicalizeReference(method, target);
  if (typeof request === "string") return request;
  let anyMatched = false;
  let granted = false;
  for (const [privilege, pattern] of patterns) {
    const match = patternMatches(pattern, request, true);
    if (match === false) continue;
    anyMatched = true;
    if (match === "restricts") continue;
    for (const name of item.assignments.get(privilege) ?? []) {
      if (identityMatches(item.identities.get(name)!, caller)) granted = true;
    }
  }
  if (granted) return "allow";
  return !anyMatched && item.defaultAllowed ? "allow" : "deny";
}
