import {
  canonicalize,
  isKnownEmbeddedQueryClient,
  renderTarget,
  splitTarget,
  strictTarget,
} from "../canonical/mod.ts";
import type { Identity, Privilege } from "../wire/key_status.ts";
import { canonicalMatch, type CanonicalPattern, canonicalPattern } from "./canonical_matcher.ts";
import type { CompiledItem } from "./compile.ts";
import { evaluate, judgeCanonical } from "./evaluate.ts";
import { CallerClasses } from "./grant_tree.ts";
import { failingSelector } from "./identity_matcher.ts";
import { legacyMatches, LegacyRequest } from "./legacy_matcher.ts";
import { type CallerClaims, questionOf, type RuleVerdict } from "./question.ts";
import { claimsFor, confusedWith, STRANGER } from "./self_test_callers.ts";
import {
  AMBIGUOUS,
  DIFFERENT,
  EQUIVALENT,
  escapePath,
  escapeQueryText,
  type Mutation,
  REPEATED,
  targetOf,
  type TwinBase,
} from "./self_test_requests.ts";

/** A request that did not get the verdict that it should. */
export interface SelfTestFailure {
  readonly ruleSetId: string;
  readonly privilege: string;
  /** How the request differs from the plain one for this privilege; `none` is the plain one itself. */
  readonly mutation: string;
  /** The smallest request that shows it: the plain one with this one change. */
  readonly method: "GET";
  readonly target: string;
  /** An identity of the privilege, or somebody of whom nothing is known. */
  readonly caller: "member" | "stranger";
  readonly expected: string;
  readonly actual: string;
}

/** The outcome of a self-test. The policy is fit to be installed when there are no failures. */
export interface SelfTestReport {
  readonly ruleSetId: string;
  readonly privileges: number;
  readonly evaluations: number;
  /** The first `MAX_FAILURES`. */
  readonly failures: readonly SelfTestFailure[];
  readonly failureCount: number;
}

/** Most failures that a report spells out. */
export const MAX_FAILURES = 20;
/**
 * About 100 ms of work. Where there are too many privileges for all mutations, each gets its share of them, in turn; of very
 * many, each gets the plain request and one mutation, for one caller.
 */
export const MAX_EVALUATIONS = 25_000;

/**
 * Tries every privilege of an item on generated requests, and yields after each of them, so that the caller can serve requests
 * in between. Spellings of the same request must get the same verdict, other requests must not be matched by the privilege, a
 * repeated parameter must grant nothing and still restrict, and ambiguous spellings must not get through in `enforce`.
 *
 * Deterministic; one privilege takes well under a millisecond. Privileges without canonical form are left out: compiling has
 * found them already. DEVIATION D-96. Source: authorization 9.5.
 */
export function* selfTest(item: CompiledItem): Generator<void, SelfTestReport> {
  const run = new Run(item);
  if (item.mode === "disabled") return run.report();
  const unknownKey = freeKey(item);
  yield;
  const { size } = item.index.canonicalPrivileges;
  const share = Math.floor(MAX_EVALUATIONS / size / EVALUATIONS_EACH);
  let ordinal = 0;
  for (const privilege of item.index.canonicalPrivileges.values()) {
    const pattern = canonicalPattern(privilege);
    if (pattern.ok) {
      run.test(privilege, pattern.value, unknownKey, ordinal, share);
    }
    ordinal++;
    yield;
  }
  return run.report();
}

/** Evaluations for one mutation of each kind, and the plain request, for two callers. */
const EVALUATIONS_EACH = 10;
const KINDS: readonly (readonly Mutation[])[] = Object.freeze([
  EQUIVALENT,
  DIFFERENT,
  REPEATED,
  AMBIGUOUS,
]);

/** The privilege under test. */
interface Probe {
  readonly privilege: Privilege;
  readonly pattern: CanonicalPattern;
  readonly base: TwinBase;
  /** Whether the request that the privilege spells is a strict target that satisfies it in both matchers. */
  readonly isAgreed: boolean;
  readonly callers: readonly Caller[];
}

type CallerKind = "member" | "stranger";

interface Caller {
  readonly kind: CallerKind;
  readonly claims: CallerClaims;
  /** What this caller gets for the plain request. */
  readonly plain: RuleVerdict;
}

class Run {
  readonly #item: CompiledItem;
  readonly #failures: SelfTestFailure[] = [];
  #failureCount = 0;
  #evaluations = 0;
  #privileges = 0;

  constructor(item: CompiledItem) {
    this.#item = item;
  }

  report(): SelfTestReport {
    return {
      ruleSetId: this.#item.id,
      privileges: this.#privileges,
      evaluations: this.#evaluations,
      failures: this.#failures,
      failureCount: this.#failureCount,
    };
  }

  /**
   * Tries `share` mutations of each kind, beginning with another one for each privilege; with a share of 0 one mutation of one
   * kind, for one caller.
   */
  test(
    privilege: Privilege,
    pattern: CanonicalPattern,
    unknownKey: string,
    ordinal: number,
    share: number,
  ): void {
    this.#privileges++;
    const member = this.#memberOf(privilege.name);
    const kinds: CallerKind[] = member === null ? ["stranger"] : ["member", "stranger"];
    const tested = share > 0 ? kinds : [kinds[ordinal % kinds.length]!];
    const probe = this.#probe(privilege, pattern, unknownKey, member, tested);
    if (member !== null && tested[0] === "member") {
      this.#checkMember(probe);
      if (share > 0) this.#checkConfused(probe, member);
    }
    const { length } = KINDS;
    for (let kind = 0; kind < length; kind++) {
      if (share === 0 && kind !== ordinal % length) continue;
      const start = share === 0 ? Math.floor(ordinal / length) : ordinal;
      for (const [name, target] of pick(KINDS[kind]!, probe.base, start, Math.max(1, share))) {
        this.#check(kind, probe, name, target);
      }
    }
  }

  #check(kind: number, probe: Probe, mutation: string, target: string): void {
    switch (KINDS[kind]) {
      case EQUIVALENT:
        return this.#checkEquivalent(probe, mutation, target);
      case DIFFERENT:
        return this.#checkDifferent(probe, mutation, target);
      case REPEATED:
        return this.#checkRepeated(probe, mutation, target);
      default:
        return this.#checkAmbiguous(probe, mutation, target);
    }
  }

  #probe(
    privilege: Privilege,
    pattern: CanonicalPattern,
    unknownKey: string,
    member: Identity | null,
    tested: readonly CallerKind[],
  ): Probe {
    const written: TwinBase = {
      path: escapePath(privilege.path === "" ? "/" : privilege.path),
      pairs: escaped(privilege.queryParameters ?? []),
      unknownKey,
    };
    const isAgreed = this.#item.privileges.has(privilege.name) &&
      satisfiesBoth(targetOf(written.path, written.pairs), privilege, pattern);
    const base = isAgreed ? written : {
      path: renderTarget({
        segments: pattern.segments as ["", ...string[]],
        trailingSlash: false,
        query: new Map(),
      }),
      pairs: escaped(pattern.constraints),
      unknownKey,
    };
    const target = targetOf(base.path, base.pairs);
    const callers = tested.map((kind): Caller => {
      const claims = kind === "member" ? claimsFor(member!) : STRANGER;
      return { kind, claims, plain: this.#ask(target, claims) };
    });
    return { privilege, pattern, base, isAgreed, callers };
  }

  /** An identity of a privilege has it. */
  #checkMember({ privilege, base, isAgreed, callers }: Probe): void {
    const target = targetOf(base.path, base.pairs);
    const { plain } = callers[0]!;
    const fail = (expected: string, actual: string) =>
      this.#fail(privilege, { mutation: "none", target, caller: "member", expected, actual });
    if (plain.canonical !== "allow") fail("canonical allow", plain.canonical);
    if (!isAgreed) return;
    if (plain.compat !== "allow") fail("compat allow", plain.compat);
    if (!plain.allowed) fail(word(true), word(false));
  }

  /** Somebody whose names only look like those of the identity is not that identity. */
  #checkConfused({ privilege, base, callers }: Probe, identity: Identity): void {
    const confused = confusedWith(callers[0]!.claims);
    if (failingSelector(identity, confused, this.#item.index.flavour) === null) return;
    const target = targetOf(base.path, base.pairs);
    if (this.#canonical(target, confused).identity !== identity.name) return;
    this.#fail(privilege, {
      mutation: "identity-case",
      target,
      caller: "member",
      expected: "not this identity",
      actual: "granted",
    });
  }

  #checkEquivalent({ privilege, isAgreed, callers }: Probe, mutation: string, target: string) {
    for (const { kind, claims, plain } of callers) {
      const verdict = this.#ask(target, claims);
      const expected = wordsOf(plain, isAgreed);
      const actual = wordsOf(verdict, isAgreed);
      if (actual === expected) continue;
      this.#fail(privilege, { mutation, target, caller: kind, expected, actual });
    }
  }

  #checkDifferent({ privilege, pattern, callers }: Probe, mutation: string, target: string): void {
    const request = canonicalize({ method: "GET", target });
    const isMatched = request.ok && canonicalMatch(pattern, request.value) !== "none";
    for (const { kind, claims } of callers) {
      const verdict = this.#canonical(target, claims);
      if (!isMatched && verdict.privilege !== privilege.name) continue;
      const expected = "not matched by the privilege";
      const actual = verdict.allowed ? "granted" : "matched";
      this.#fail(privilege, { mutation, target, caller: kind, expected, actual });
    }
  }

  #checkRepeated({ privilege, pattern, callers }: Probe, mutation: string, target: string): void {
    const request = canonicalize({ method: "GET", target });
    const match = request.ok ? canonicalMatch(pattern, request.value) : "none";
    for (const { kind, claims } of callers) {
      const verdict = this.#canonical(target, claims);
      const isGranted = verdict.allowed && verdict.privilege === privilege.name;
      const isOpen = verdict.allowed && verdict.privilege === null;
      if (match === "restricts" && !isGranted && !isOpen) continue;
      const expected = "restricted, and not granted, by the privilege";
      const actual = isGranted ? "granted" : isOpen ? "allowed by default" : match;
      this.#fail(privilege, { mutation, target, caller: kind, expected, actual });
    }
  }

  #checkAmbiguous({ privilege, callers }: Probe, mutation: string, target: string): void {
    const isKnown = isKnownEmbeddedQueryClient("GET", target);
    for (const { kind, claims } of callers) {
      const verdict = this.#ask(target, claims);
      // The one client that may spell it so has to hold the grant of what it means.
      if (!verdict.allowed || isKnown) continue;
      const expected = word(false);
      this.#fail(privilege, { mutation, target, caller: kind, expected, actual: word(true) });
    }
  }

  /** The first identity of a privilege; `null` when nobody has it. */
  #memberOf(privilege: string): Identity | null {
    for (const name of this.#item.privilegeAssignments.get(privilege) ?? []) {
      return this.#item.identities.get(name) ?? null;
    }
    return null;
  }

  #ask(target: string, claims: CallerClaims): RuleVerdict {
    this.#evaluations++;
    return evaluate(this.#item, questionOf("GET", target, claims), "enforce");
  }

  #canonical(target: string, claims: CallerClaims) {
    this.#evaluations++;
    const classes = new CallerClasses(this.#item.index.identities, claims);
    const judged = judgeCanonical(this.#item, "GET", target, classes);
    return typeof judged === "string" ? NOT_JUDGED : judged;
  }

  #fail(
    { name }: Privilege,
    failure: Omit<SelfTestFailure, "ruleSetId" | "privilege" | "method">,
  ): void {
    this.#failureCount++;
    if (this.#failures.length === MAX_FAILURES) return;
    const ruleSetId = this.#item.id;
    this.#failures.push({ ruleSetId, privilege: name, method: "GET", ...failure });
  }
}

const NOT_JUDGED = Object.freeze({ allowed: false, privilege: null, identity: null });

/** The next `share` mutations that change something, from `start` on, round the list. */
function* pick(
  mutations: readonly Mutation[],
  base: TwinBase,
  start: number,
  share: number,
): Generator<readonly [name: string, target: string]> {
  let taken = 0;
  for (let step = 0; step < mutations.length && taken < share; step++) {
    const { name, make } = mutations[(start + step) % mutations.length]!;
    const target = make(base);
    if (target === null) continue;
    taken++;
    yield [name, target];
  }
}

function satisfiesBoth(target: string, privilege: Privilege, pattern: CanonicalPattern): boolean {
  const request = canonicalize({ method: "GET", target });
  const parts = splitTarget(target);
  return request.ok && strictTarget(parts.path, parts.query) === null &&
    canonicalMatch(pattern, request.value) === "grants" &&
    legacyMatches(privilege, new LegacyRequest(parts));
}

/** The parts of a verdict that all spellings share. */
function wordsOf(verdict: RuleVerdict, isAgreed: boolean): string {
  return isAgreed
    ? `compat ${verdict.compat}, canonical ${verdict.canonical}, ${word(verdict.allowed)}`
    : `canonical ${verdict.canonical}`;
}

function word(allowed: boolean): string {
  return allowed ? "allow in enforce" : "deny in enforce";
}

function escaped(constraints: Iterable<readonly [string, string]>): TwinBase["pairs"] {
  return Array.from(
    constraints,
    ([key, value]) => [escapeQueryText(key), escapeQueryText(value)] as const,
  );
}

/** A parameter that no privilege asks for. */
function freeKey(item: CompiledItem): string {
  const used = new Set<string>();
  for (const { queryParameters } of item.index.canonicalPrivileges.values()) {
    for (const key of queryParameters?.keys() ?? []) used.add(key);
  }
  let key = "selftest";
  while (used.has(key)) key += "-";
  return key;
}
