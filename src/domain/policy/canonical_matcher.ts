import {
  type CanonCode,
  canonicalPath,
  canonicalQueryText,
  type CanonicalRequest,
} from "../canonical/mod.ts";
import { err, ok, type Result } from "../../runtime/result.ts";
import type { Privilege } from "../wire/key_status.ts";

/** A privilege as the canonical matcher sees it. */
export interface CanonicalPattern {
  readonly segments: readonly string[];
  readonly constraints: ReadonlyMap<string, string>;
}

/** Why a privilege has no pattern: a code of the canonical form, or a key that is empty or comes twice once decoded. */
export type PatternFault = CanonCode | "EMPTY_KEY" | "REPEATED_KEY";

/**
 * The canonical pattern of a privilege that is in lower case already. Each key and each value is brought into canonical form
 * by itself (DEVIATION D-90). A key that is empty can be in no request, and two keys that become one cannot both hold for the
 * one occurrence, so neither has a pattern. Source: authorization 3.11.
 */
export function canonicalPattern(privilege: Privilege): Result<CanonicalPattern, PatternFault> {
  const segments = segmentsOf(privilege.path);
  if (!segments.ok) return segments;
  const constraints = new Map<string, string>();
  for (const [rawKey, rawValue] of privilege.queryParameters ?? []) {
    const key = canonicalQueryText(rawKey);
    if (!key.ok) return key;
    const value = canonicalQueryText(rawValue);
    if (!value.ok) return value;
    if (key.value === "") return err("EMPTY_KEY");
    if (constraints.has(key.value)) return err("REPEATED_KEY");
    constraints.set(key.value, value.value);
  }
  return ok({ segments: segments.value, constraints });
}

/** Nearly every path of a rule: its segments stand in it as they are. */
const PLAIN_PATH = /^(?:\/[a-z0-9_-]+)+$/;

function segmentsOf(path: string): Result<readonly string[], CanonCode> {
  if (PLAIN_PATH.test(path)) return ok(path.split("/"));
  const canonical = canonicalPath(path);
  return canonical.ok ? ok(canonical.value.segments) : canonical;
}

/** What a pattern makes of a request. `restricts`: it matches, but a repeated key keeps it from granting. */
export type PatternMatch = "grants" | "restricts" | "none";

/**
 * Matches one pattern: its segments are a prefix of the request's, and each of its keys occurs exactly once, with its value.
 * A key that occurs more often grants nothing and counts as a match (DEVIATION D-91). The index gives the same answers for all
 * patterns at once. Source: authorization 3.11 and W-16, item 3.
 */
export function canonicalMatch(pattern: CanonicalPattern, request: CanonicalRequest): PatternMatch {
  if (!startsWithSegments(request.segments, pattern.segments)) return "none";
  let match: PatternMatch = "grants";
  for (const [key, value] of pattern.constraints) {
    const values = request.query.get(key);
    if (values === undefined) return "none";
    if (values.length > 1) match = "restricts";
    else if (values[0] !== value) return "none";
  }
  return match;
}

/** Whether `prefix` is a prefix of `segments`, whole segment by whole segment. */
export function startsWithSegments(
  segments: readonly string[],
  prefix: readonly string[],
): boolean {
  return prefix.length <= segments.length &&
    prefix.every((segment, index) => segments[index] === segment);
}
