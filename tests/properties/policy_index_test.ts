/** The index against each privilege tested by itself, where many privileges share paths and constraints. */
import assert from "node:assert/strict";
import { canonicalize } from "../../src/domain/canonical/mod.ts";
import { canonicalMatch, canonicalPattern } from "../../src/domain/policy/canonical_matcher.ts";
import { failingSelector } from "../../src/domain/policy/identity_matcher.ts";
import { legacyMatches, LegacyRequest } from "../../src/domain/policy/legacy_matcher.ts";
import {
  type CallerClaims,
  type CompiledItem,
  compileItem,
  evaluate,
  questionOf,
} from "../../src/domain/policy/mod.ts";
import type { AuthorizationItem, Privilege } from "../../src/domain/wire/mod.ts";
import { sampleClaims, sampleIdentity } from "../unit/domain/policy/rule_samples.ts";
import { Dice } from "./triples.ts";

const FACTOR = Number(Deno.env.get("FAST_CHECK_FACTOR") ?? 1);
const ITEMS = 300 * FACTOR;
const REQUESTS = 40;
const SEED = Number(Deno.env.get("INDEX_SEED") ?? Math.floor(Math.random() * 2 ** 32));
const USERS = ["a", "b", "c"];

function randomItem(dice: Dice): AuthorizationItem {
  const count = 1 + dice.below(60);
  const names = Array.from({ length: count }, (_, at) => `p${at}`);
  const privileges = names.map((name): Privilege => {
    const constraints = new Map<string, string>();
    while (dice.often(60)) {
      constraints.set(dice.pick(["x", "y", "z", "%78"]), dice.pick(["1", "2", "3"]));
    }
    const path = "/" + dice.some(2, () => dice.pick(["a", "ab", "b"])).join("/");
    return { name, path, queryParameters: constraints };
  });
  return {
    id: "random",
    defaultAccess: dice.often(50) ? "allow" : "deny",
    mode: "enforce",
    rules: {
      privileges,
      roles: names.slice(0, 20).map((name) => ({
        name,
        privileges: dice.some(3, () => dice.pick(names)),
      })),
      identities: USERS.map((userName) => sampleIdentity(userName, { userName })),
      roleAssignments: dice.some(15, () => ({
        role: dice.pick(names),
        identities: dice.some(2, () => dice.pick(USERS)),
      })),
    },
    source: new Map(),
  };
}

/** `allow` or `deny` of one matcher, each privilege by itself. */
function slowly(
  item: CompiledItem,
  claims: CallerClaims,
  match: (privilege: Privilege) => "grants" | "restricts" | "none",
): "allow" | "deny" {
  let matched = false;
  for (const privilege of item.privileges.values()) {
    const found = match(privilege);
    if (found === "none") continue;
    matched = true;
    for (const name of item.privilegeAssignments.get(privilege.name) ?? []) {
      const isCaller = failingSelector(item.identities.get(name)!, claims, "unix") === null;
      if (isCaller && found === "grants") return "allow";
    }
  }
  return !matched && item.defaultAllowed ? "allow" : "deny";
}

Deno.test("evaluate() finds by the index what each privilege says by itself", () => {
  const dice = new Dice(SEED);
  const seen = { repeated: 0, rule: 0, differ: 0 };
  for (let done = 0; done < ITEMS; done++) {
    const { compiled } = compileItem(randomItem(dice));
    for (let asked = 0; asked < REQUESTS; asked++) {
      const path = "/" + dice.some(3, () => dice.pick(["a", "ab", "b", "A"])).join("/");
      const pairs = dice.some(
        5,
        () => `${dice.pick(["x", "y", "z", "w"])}=${dice.pick(["1", "2", "3"])}`,
      );
      const claims = sampleClaims({ userName: dice.pick([...USERS, "d"]) });
      const question = questionOf("GET", `${path}?${pairs.join("&")}`, claims);
      const request = canonicalize(question);
      assert.ok(request.ok);
      const legacyRequest = new LegacyRequest(question);
      const legacy = slowly(
        compiled,
        claims,
        (privilege) => legacyMatches(privilege, legacyRequest) ? "grants" : "none",
      );
      const canonical = slowly(compiled, claims, (privilege) => {
        const pattern = canonicalPattern(privilege);
        return pattern.ok ? canonicalMatch(pattern.value, request.value) : "none";
      });
      const verdict = evaluate(compiled, question, "enforce");
      const where = `INDEX_SEED=${SEED}, item ${done}: ${question.target}`;
      assert.deepEqual([verdict.compat, verdict.canonical], [legacy, canonical], where);
      if ([...request.value.query.values()].some((values) => values.length > 1)) seen.repeated++;
      if (verdict.by === "rule") seen.rule++;
      if (legacy !== canonical) seen.differ++;
    }
  }
  const cases = ITEMS * REQUESTS;
  for (const [what, count] of Object.entries(seen)) {
    assert.ok(count * 300 > cases, `${what} ${count}`);
  }
});
