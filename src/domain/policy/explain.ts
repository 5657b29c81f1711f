import {
  type CanonCode,
  canonicalize,
  type CanonicalRequest,
  isKnownEmbeddedQueryClient,
  renderTarget,
  type StrictFault,
  strictTarget,
  withQueryMark,
} from "../canonical/mod.ts";
import type { EndpointName } from "../wire/endpoints.ts";
import type { Identity, Privilege } from "../wire/key_status.ts";
import {
  canonicalMatch,
  canonicalPattern,
  type PatternFault,
  type PatternMatch,
  startsWithSegments,
} from "./canonical_matcher.ts";
import type { CompiledItem } from "./compile.ts";
import { decide, type Outcome } from "./decide.ts";
import { evaluate } from "./evaluate.ts";
import { failingSelector, satisfies, type Selector, SELECTORS } from "./identity_matcher.ts";
import { legacyMatches, LegacyRequest } from "./legacy_matcher.ts";
import type { CallerClaims, Matching, Question, RuleVerdict } from "./question.ts";
import { type Remedy, remedyFor } from "./remedy.ts";
import type { EndpointPolicy } from "./snapshot.ts";

/** One constraint of a privilege and what the request has for it. */
export interface ConstraintTrace {
  readonly key: string;
  readonly wanted: string;
  /** Every value that the matcher sees for the key, in order; the legacy matcher sees the first only. */
  readonly found: readonly string[];
  readonly holds: boolean;
}

/** One matcher's look at one privilege. Constraints are listed even where the path already fails. */
export interface MatcherTrace {
  readonly pathHolds: boolean;
  readonly constraints: readonly ConstraintTrace[];
  /** `restricts`: matches, but grants to nobody, because a key is repeated. */
  readonly match: PatternMatch;
}

/** One selector of an identity and the caller's claim. */
export interface SelectorTrace {
  readonly selector: Selector;
  readonly wanted: string;
  /** `null`: unknown or not proven. */
  readonly actual: string | readonly string[] | null;
  readonly holds: boolean;
}

/** One identity of a privilege. */
export interface IdentityTrace {
  readonly identity: string;
  /** The first selector that the caller does not satisfy; `null` when the identity is the caller. */
  readonly failed: Selector | null;
  readonly selectors: readonly SelectorTrace[];
}

/** One privilege. */
export interface PrivilegeTrace {
  readonly privilege: string;
  readonly path: string;
  /** `null` when the legacy matcher has no rules, because a list of the document is missing. */
  readonly legacy: MatcherTrace | null;
  /** A fault is a privilege or a request without canonical form. */
  readonly canonical: MatcherTrace | PatternFault;
  readonly identities: readonly IdentityTrace[];
  readonly omittedIdentities: number;
  /** Whether this privilege grants by itself, by each matcher. */
  readonly grants: { readonly legacy: boolean; readonly canonical: boolean };
}

/** Why a request gets its verdict. */
export interface Explanation {
  readonly outcome: Outcome;
  /** As in the outcome, and asked here where the decision did not need them; `null` when there are no rules. */
  readonly rules: RuleVerdict | null;
  readonly ruleSetId: string | null;
  /** The path as the legacy matcher compares it. */
  readonly legacyPath: string;
  /** The canonical target, or why there is none. */
  readonly canonicalTarget: string | null;
  readonly canonCode: CanonCode | null;
  /** What `enforce` has against the target itself; told in every matching. */
  readonly strictFault: StrictFault | null;
  /** Those whose path holds first, each part in the order of the document. At most `MAX_TRACED_PRIVILEGES`. */
  readonly privileges: readonly PrivilegeTrace[];
  readonly omittedPrivileges: number;
  /** What would allow the request; `null` when it is allowed. */
  readonly remedy: Remedy | null;
}

/** Most privileges that an explanation lists. */
export const MAX_TRACED_PRIVILEGES = 1_000;
/** Most identities that it lists for one privilege. */
export const MAX_TRACED_IDENTITIES = 100;

/**
 * Explains one decision: the outcome of `decide()`, and next to it each privilege tested by itself, without the index, so that
 * the two can be compared. Source: authorization 9.7.
 */
export function explain(
  endpoint: EndpointName,
  question: Question,
  policy: EndpointPolicy,
  matching: Matching,
): Explanation {
  const outcome = decide(endpoint, question, policy, matching);
  const item = policy.kind === "rules" ? policy.rules : null;
  const request = canonicalize({ method: question.method, target: question.target });
  const legacy = new LegacyRequest(question);
  const traced = item === null ? [] : considered(item, legacy, request.ok ? request.value : null);
  return {
    outcome,
    rules: outcome.rules ?? (item === null ? null : evaluate(item, question, matching)),
    ruleSetId: item?.id ?? null,
    legacyPath: legacy.path,
    canonicalTarget: request.ok ? renderTarget(request.value) : null,
    canonCode: request.ok ? null : request.error,
    strictFault: strictFaultOf(question),
    privileges: traced.slice(0, MAX_TRACED_PRIVILEGES).map((privilege) =>
      tracePrivilege(
        item!,
        privilege,
        question.claims,
        legacy,
        request.ok ? request.value : request.error,
      )
    ),
    omittedPrivileges: Math.max(0, traced.length - MAX_TRACED_PRIVILEGES),
    remedy: outcome.verdict === "allow"
      ? null
      : remedyFor(endpoint, question, policy, matching, outcome.refusal),
  };
}

function strictFaultOf({ method, target, path, query }: Question): StrictFault | null {
  if (!isKnownEmbeddedQueryClient(method, target)) return strictTarget(path, query);
  const [meantPath, meantQuery] = withQueryMark(target).split("?");
  return strictTarget(meantPath!, meantQuery ?? null);
}

/** All privileges, those whose path holds in one matcher first. */
function considered(
  item: CompiledItem,
  legacy: LegacyRequest,
  request: CanonicalRequest | null,
): readonly Privilege[] {
  const all = [...item.index.canonicalPrivileges.values()];
  const near = new Set(all.filter((privilege) => {
    if (legacy.path.startsWith(privilege.path)) return true;
    const pattern = request === null ? null : canonicalPattern(privilege);
    return pattern !== null && pattern.ok &&
      startsWithSegments(request!.segments, pattern.value.segments);
  }));
  return [...near, ...all.filter((privilege) => !near.has(privilege))];
}

function tracePrivilege(
  item: CompiledItem,
  privilege: Privilege,
  claims: CallerClaims,
  request: LegacyRequest,
  canonicalRequest: CanonicalRequest | CanonCode,
): PrivilegeTrace {
  const assigned = [...item.privilegeAssignments.get(privilege.name) ?? []];
  const { flavour } = item.index;
  const legacy = item.privileges.has(privilege.name) ? traceLegacy(privilege, request) : null;
  const canonical = traceCanonical(privilege, canonicalRequest);
  const isHeld = assigned.some((name) =>
    failingSelector(item.identities.get(name)!, claims, flavour) === null
  );
  return {
    privilege: privilege.name,
    path: privilege.path,
    legacy,
    canonical,
    identities: assigned.slice(0, MAX_TRACED_IDENTITIES).map((name) =>
      traceIdentity(item.identities.get(name)!, claims, item)
    ),
    omittedIdentities: Math.max(0, assigned.length - MAX_TRACED_IDENTITIES),
    grants: {
      legacy: isHeld && legacy !== null && legacy.match === "grants",
      canonical: isHeld && typeof canonical !== "string" && canonical.match === "grants",
    },
  };
}

function traceLegacy(privilege: Privilege, request: LegacyRequest): MatcherTrace {
  const constraints: ConstraintTrace[] = [];
  for (const [key, wanted] of privilege.queryParameters ?? []) {
    const found = request.values().get(key) ?? [];
    constraints.push({ key, wanted, found, holds: found[0] === wanted });
  }
  return {
    pathHolds: request.path.startsWith(privilege.path),
    constraints,
    match: legacyMatches(privilege, request) ? "grants" : "none",
  };
}

function traceCanonical(
  privilege: Privilege,
  request: CanonicalRequest | CanonCode,
): MatcherTrace | PatternFault {
  const pattern = canonicalPattern(privilege);
  if (!pattern.ok) return pattern.error;
  if (typeof request === "string") return request;
  const constraints: ConstraintTrace[] = [];
  for (const [key, wanted] of pattern.value.constraints) {
    const found = request.query.get(key) ?? [];
    constraints.push({ key, wanted, found, holds: found.length === 1 && found[0] === wanted });
  }
  return {
    pathHolds: startsWithSegments(request.segments, pattern.value.segments),
    constraints,
    match: canonicalMatch(pattern.value, request),
  };
}

function traceIdentity(
  identity: Identity,
  claims: CallerClaims,
  item: CompiledItem,
): IdentityTrace {
  const { flavour } = item.index;
  const selectors: SelectorTrace[] = [];
  for (const selector of SELECTORS) {
    const wanted = identity[selector];
    if (wanted === null) continue;
    const holds = satisfies(selector, wanted, claims, flavour);
    selectors.push({ selector, wanted, actual: claimFor(selector, claims), holds });
  }
  return { identity: identity.name, failed: failingSelector(identity, claims, flavour), selectors };
}

function claimFor(selector: Selector, claims: CallerClaims): SelectorTrace["actual"] {
  switch (selector) {
    case "userName":
      return claims.userName;
    case "processName":
      return claims.processName;
    case "exePath":
      return claims.processFullPath;
    case "groupName":
      return claims.userGroups;
  }
}
