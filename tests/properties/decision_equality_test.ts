/**
 * The engine against the naive reading of the specification in `tests/reference`, on random triples of rule document, request
 * and caller. JUDGE_TRIPLES sets how many: 100,000 unless set, and ten million at night. JUDGE_SEED repeats a run.
 */
import assert from "node:assert/strict";
import {
  type CompiledItem,
  compileItem,
  decide,
  evaluate,
  type Matching,
  type Outcome,
  questionOf,
  type RuleVerdict,
} from "../../src/domain/policy/mod.ts";
import { parseAuthorizationItem } from "../../src/domain/wire/mod.ts";
import { isKnownEmbeddedQueryClient } from "../../src/domain/canonical/mod.ts";
import { compileStrict, evaluateCanonical, type StrictItem } from "../reference/canonical_rules.ts";
import { decideProduct, decideReference } from "../reference/decision.ts";
import type { Triple } from "../reference/documents.ts";
import {
  compileReference,
  evaluateLegacy,
  identityMatches,
  matchesLegacy,
  prepareLegacy,
  type ReferenceItem,
} from "../reference/legacy.ts";
import { productionClaims, productionItem } from "./production.ts";
import { Dice, randomTriples, shrink } from "./triples.ts";

const FACTOR = Number(Deno.env.get("FAST_CHECK_FACTOR") ?? 1);
const TRIPLES = Number(Deno.env.get("JUDGE_TRIPLES") ?? 100_000 * FACTOR);
const SEED = Number(Deno.env.get("JUDGE_SEED") ?? Math.floor(Math.random() * 2 ** 32));
/** Triples that share one document. */
const PER_ITEM = 4;
const MATCHINGS: readonly Matching[] = ["compat", "shadow", "enforce"];

/** Counts of what was drawn, so that a generator that stops hitting something fails. */
const seen = {
  granted: 0,
  refused: 0,
  byDefault: 0,
  canonicalAllow: 0,
  canonicalDeny: 0,
  codes: 0,
  enforced: 0,
  split: 0,
};

/** What the engine and the judge do not agree on; `null` when they agree. */
function disagreement(
  triple: Triple,
  compiled: CompiledItem = compileItem(productionItem(triple.item)).compiled,
  reference: ReferenceItem = compileReference(triple.item),
  strict: StrictItem = compileStrict(triple.item),
): string | null {
  const { method, target, caller } = triple;
  const question = questionOf(method, target, productionClaims(caller));
  const compat = evaluate(compiled, question, "compat");
  const enforce = evaluate(compiled, question, "enforce");
  const legacy = evaluateLegacy(reference, target, caller);
  if (compat.compat !== (legacy ? "allow" : "deny")) return `compat is ${compat.compat}`;
  if (compat.allowed !== legacy) return "compat does not follow its own verdict";
  const canonical = evaluateCanonical(strict, method, target, caller);
  if (compat.canonical !== canonical) return `canonical is ${compat.canonical}, not ${canonical}`;
  if (enforce.compat !== compat.compat || enforce.canonical !== compat.canonical) {
    return "enforce sees other verdicts";
  }
  const both = legacy && canonical === "allow";
  if (enforce.allowed && !both && !isKnownEmbeddedQueryClient(method, target)) {
    return "enforce allows what one matcher refuses";
  }
  const grounds = groundsFault(compat, reference, triple);
  if (grounds !== null) return grounds;
  count(compat, enforce);
  return null;
}

/** The same for the whole decision, elevation, exemptions and mode included, and for `shadow`. */
function outcomeDisagreement(
  triple: Triple,
  compiled: CompiledItem = compileItem(productionItem(triple.item)).compiled,
  reference: ReferenceItem = compileReference(triple.item),
): string | null {
  const { endpoint, method, target, caller } = triple;
  const question = questionOf(method, target, productionClaims(caller));
  const policy = { kind: "rules", mode: compiled.mode, rules: compiled } as const;
  const [compat, shadow, enforce] = MATCHINGS.map((matching) =>
    decide(endpoint, question, policy, matching)
  ) as [Outcome, Outcome, Outcome];
  const expected = decideProduct(
    triple,
    evaluateLegacy(reference, target, caller),
    compiled.mode,
  );
  if (compat.verdict !== expected) return `the decision is ${compat.verdict}, not ${expected}`;
  if (JSON.stringify(shadow) !== JSON.stringify(compat)) return "shadow is not compat";
  if (enforce.verdict === "allow" && compat.verdict !== "allow") return "enforce allows more";
  if (compat.verdict === "allow" && decideReference(triple) === "deny") {
    return "it allows what others refuse";
  }
  return null;
}

/** Whether the named privilege and identity are the ones that a reader of the rules would accept. */
function groundsFault(
  verdict: RuleVerdict,
  reference: ReferenceItem,
  { target, caller }: Triple,
): string | null {
  if (reference.mode === "disabled") return verdict.by === "disabled" ? null : "not disabled";
  const request = prepareLegacy(target);
  const matching = [...reference.privileges.values()]
    .filter((privilege) => matchesLegacy(privilege, request)).map(({ name }) => name);
  if ((verdict.by === "rule") !== (matching.length > 0)) return `decided by ${verdict.by}`;
  if (verdict.by !== "rule") return verdict.privilege === null ? null : "names a privilege";
  if (!matching.includes(verdict.privilege!)) return `privilege ${verdict.privilege} did not match`;
  if (!verdict.allowed) return verdict.identity === null ? null : "names an identity";
  const identity = reference.identities.get(verdict.identity ?? "no such name");
  const granted = identity !== undefined && identityMatches(identity, caller) &&
    reference.assignments.get(verdict.privilege!)?.has(identity.name);
  return granted ? null : `identity ${verdict.identity} does not grant ${verdict.privilege}`;
}

function count(compat: RuleVerdict, enforce: RuleVerdict): void {
  if (compat.by !== "rule") seen.byDefault++;
  else if (compat.allowed) seen.granted++;
  else seen.refused++;
  if (compat.canonical === "allow") seen.canonicalAllow++;
  else if (compat.canonical === "deny") seen.canonicalDeny++;
  else seen.codes++;
  if (enforce.allowed) seen.enforced++;
  if (compat.compat !== compat.canonical) seen.split++;
}

Deno.test(`evaluate() decides as the specification's algorithm does, and enforce never allows more`, () => {
  const dice = new Dice(SEED);
  for (let done = 0; done < TRIPLES; done += PER_ITEM) {
    const triples = randomTriples(dice, PER_ITEM);
    const { item } = triples[0]!;
    const compiled = compileItem(productionItem(item)).compiled;
    const reference = compileReference(item);
    const strict = compileStrict(item);
    for (const [index, triple] of triples.entries()) {
      const fault = disagreement(triple, compiled, reference, strict) ??
        (index === 0 ? outcomeDisagreement(triple, compiled, reference) : null);
      if (fault !== null) {
        const anyFault = (smaller: Triple) => disagreement(smaller) ?? outcomeDisagreement(smaller);
        const smallest = shrink(triple, (smaller) => anyFault(smaller) !== null);
        assert.fail(
          `JUDGE_SEED=${SEED}: ${fault}; as small as it gets, ${disagreement(smallest)}:\n${
            JSON.stringify(smallest)
          }`,
        );
      }
    }
  }
  // Each of these is at least one in a hundred and fifty, whatever the seed.
  for (const [what, times] of Object.entries(seen)) {
    assert.ok(times * 150 >= TRIPLES, `JUDGE_SEED=${SEED}: ${what} came ${times} times only`);
  }
});

Deno.test("parseAuthorizationItem() hands random items to the engine as the judge reads them", () => {
  const dice = new Dice(SEED);
  for (let done = 0; done < TRIPLES; done += 100) {
    const [triple] = randomTriples(dice, 1);
    const text = JSON.stringify(triple!.item);
    const parsed = parseAuthorizationItem(text);
    assert.ok(parsed.ok, text);
    const { source: _, ...item } = parsed.value;
    const { source: __, ...expected } = productionItem(triple!.item);
    assert.deepEqual(item, expected, text);
    const fault = disagreement(triple!, compileItem(parsed.value).compiled);
    assert.equal(fault, null, JSON.stringify(triple));
  }
});
