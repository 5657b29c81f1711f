/** The engine against the tables of authorization 2.4, 2.6, 3.3, 3.5 and 3.16. */
import assert from "node:assert/strict";
import { isTraversal, splitTarget } from "../../src/domain/canonical/mod.ts";
import {
  type CallerClaims,
  canonicalPattern,
  compileItem,
  decide,
  type EndpointPolicy,
  evaluate,
  failingSelector,
  pathKey,
  questionOf,
} from "../../src/domain/policy/mod.ts";
import type { ItemDocument } from "../reference/documents.ts";
import { productionItem } from "../properties/production.ts";
import {
  decisions,
  identities,
  matching,
  type MatchVector,
  paths,
  patterns,
  windowsPaths,
} from "../vectors/authorization_vectors.ts";

const NOBODY: CallerClaims = {
  userName: null,
  userGroups: [],
  processName: null,
  processFullPath: null,
  elevated: false,
};

/** One privilege that everybody has, behind a default that denies; or that nobody has, before one that allows. */
function itemOf({ rulePath, constraints }: MatchVector, granted: boolean): ItemDocument {
  return {
    defaultAccess: granted ? "deny" : "allow",
    mode: "enforce",
    id: "r",
    rules: {
      privileges: [{ name: "p", path: rulePath, queryParameters: constraints }],
      roles: [{ name: "r", privileges: ["p"] }],
      identities: [{ name: "anybody" }],
      roleAssignments: [{ role: "r", identities: granted ? ["anybody"] : [] }],
    },
  };
}

for (const vector of matching()) {
  Deno.test(`evaluate() matches ${vector.id} as the table says`, () => {
    const question = questionOf("GET", vector.target, NOBODY);
    assert.equal(isTraversal(splitTarget(vector.target).path), vector.guard, "guard");
    const grant = compileItem(productionItem(itemOf(vector, true))).compiled;
    const restrict = compileItem(productionItem(itemOf(vector, false))).compiled;
    const { compat, canonical } = evaluate(grant, question, "compat");
    assert.equal(compat, vector.legacy ? "allow" : "deny", vector.why);
    const words: Record<string, string> = { yes: "allow", no: "deny" };
    assert.equal(canonical, words[vector.productCanonical] ?? vector.productCanonical, vector.why);
    assert.equal(evaluate(grant, question, "shadow").allowed, vector.legacy);
    assert.equal(evaluate(grant, question, "enforce").allowed, vector.enforce, vector.why);
    assert.equal(evaluate(restrict, question, "compat").compat, vector.legacy ? "deny" : "allow");
    // What the table's own canonical matcher takes for a match restricts here, too.
    if (vector.canonical === "yes") {
      assert.equal(evaluate(restrict, question, "compat").canonical, "deny");
    }
  });
}

for (const vector of patterns()) {
  Deno.test(`canonicalPattern() of ${vector.id} is the one of the table`, () => {
    const parameters = vector.constraints === null
      ? null
      : new Map(Object.entries(vector.constraints));
    const item = productionItem({
      defaultAccess: "deny",
      mode: "enforce",
      id: "r",
      rules: {
        privileges: [{ name: "p", path: vector.path, queryParameters: vector.constraints }],
        roles: [],
        identities: [],
        roleAssignments: [],
      },
    });
    const { compiled, findings } = compileItem(item);
    const pattern = canonicalPattern(compiled.privileges.get("p")!);
    const errors = findings.filter(({ severity }) => severity === "error");
    if (!pattern.ok) {
      assert.equal(pattern.error, vector.code, vector.why);
      assert.deepEqual(errors.map(({ code, path }) => [code, path]), [
        ["not-canonical", "$.rules.privileges[0]"],
      ]);
      return;
    }
    assert.equal(vector.code, null, vector.why);
    assert.deepEqual(errors, []);
    assert.deepEqual(pattern.value.segments, vector.segments, vector.why);
    const query = [...pattern.value.constraints].map(([key, value]) => [key, [value]]);
    assert.deepEqual(query, vector.productQuery, vector.why);
    assert.equal(pattern.value.constraints.size, parameters?.size ?? 0);
  });
}

for (const { id, selectors, caller, matches, why } of identities()) {
  const verb = matches ? "accepts" : "refuses";
  Deno.test(`failingSelector() ${verb} ${id}`, () => {
    const identity = {
      name: "i",
      userName: null,
      groupName: null,
      exePath: null,
      processName: null,
      ...selectors,
    };
    const claims = { ...caller, elevated: false };
    assert.equal(failingSelector(identity, claims, "unix") === null, matches, why);
    const item = productionItem({
      defaultAccess: "deny",
      mode: "enforce",
      id: "r",
      rules: {
        privileges: [{ name: "p", path: "/" }],
        roles: [{ name: "r", privileges: ["p"] }],
        identities: [identity],
        roleAssignments: [{ role: "r", identities: ["i"] }],
      },
    });
    const verdict = evaluate(compileItem(item).compiled, questionOf("GET", "/", claims), "compat");
    assert.equal(verdict.allowed, matches, why);
  });
}

for (const { id, left, right, equal, why } of paths()) {
  const relation = equal ? "equal" : "different";
  Deno.test(`pathKey() finds ${id} ${relation}`, () => {
    assert.equal(pathKey(left, "unix") === pathKey(right, "unix"), equal, why);
  });
}

for (const { id, left, right, equal, why } of windowsPaths()) {
  const relation = equal ? "equal" : "different";
  Deno.test(`pathKey() finds on Windows ${id} ${relation}`, () => {
    assert.equal(pathKey(left, "windows") === pathKey(right, "windows"), equal, why);
  });
}

Deno.test("evaluate() names the shortest path of those that refuse, and of these the first", () => {
  const { compiled } = compileItem(productionItem({
    defaultAccess: "allow",
    mode: "enforce",
    id: "r",
    rules: {
      privileges: [
        { name: "long", path: "/a/b/c" },
        { name: "keyed", path: "/a", queryParameters: { k: "v" } },
        { name: "short", path: "/a" },
        { name: "short too", path: "/a" },
      ],
      roles: [],
      identities: [],
      roleAssignments: [],
    },
  }));
  const verdict = evaluate(compiled, questionOf("GET", "/a/b/c?k=v", NOBODY), "compat");
  assert.deepEqual([verdict.privilege, verdict.identity, verdict.by], ["short", null, "rule"]);
});

Deno.test("evaluate() in enforce names the first privilege that the canonical request lacks", () => {
  const { compiled } = compileItem(productionItem({
    defaultAccess: "deny",
    mode: "enforce",
    id: "r",
    rules: {
      privileges: [
        { name: "escaped", path: "/a%62" },
        { name: "keyed", path: "/ab", queryParameters: { k: "v" } },
      ],
      roles: [{ name: "r", privileges: ["keyed"] }],
      identities: [{ name: "anybody" }],
      roleAssignments: [{ role: "r", identities: ["anybody"] }],
    },
  }));
  const verdict = evaluate(compiled, questionOf("GET", "/ab?k=v&k=w", NOBODY), "enforce");
  assert.deepEqual([verdict.compat, verdict.canonical, verdict.allowed], ["allow", "deny", false]);
  assert.equal(verdict.privilege, "escaped");
});

Deno.test("decide() cuts a long name in its detail behind its beginning", () => {
  const name = `begin${"x".repeat(1_000)}`;
  const rules = compileItem(productionItem({
    defaultAccess: "allow",
    mode: "enforce",
    id: "r",
    rules: {
      privileges: [{ name, path: "/" }],
      roles: [],
      identities: [],
      roleAssignments: [],
    },
  })).compiled;
  const policy: EndpointPolicy = { kind: "rules", mode: "enforce", rules };
  const outcome = decide("imds", questionOf("GET", "/", NOBODY), policy, "compat");
  assert.ok(outcome.verdict === "deny");
  assert.equal(outcome.refusal.reason, "rule-denied");
  const shown = `\`${name.slice(0, 200)}…\``;
  assert.ok(outcome.refusal.detail.includes(shown), outcome.refusal.detail);
});

for (const vector of decisions()) {
  Deno.test(`decide() answers ${vector.id} with ${vector.product}`, () => {
    const { endpoint, method, target, elevated, item, mode, evaluates } = vector;
    const policy: EndpointPolicy = item === null ? { kind: "built-in", mode } : {
      kind: "rules",
      mode,
      rules: compileItem(
        productionItem({ defaultAccess: evaluates ? "allow" : "deny", mode: item, id: "r" }),
      ).compiled,
    };
    const question = questionOf(method, target, { ...NOBODY, elevated });
    for (const matching of ["compat", "shadow", "enforce"] as const) {
      assert.equal(
        decide(endpoint, question, policy, matching).verdict,
        vector.product,
        vector.why,
      );
    }
    if (vector.deviation === null) assert.equal(vector.product, vector.reference);
  });
}
