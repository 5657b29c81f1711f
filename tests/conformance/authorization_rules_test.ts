/** Documents, their compilation and what follows from them, against the tables of authorization 1.2, 1.4 and 1.5. */
import assert from "node:assert/strict";
import {
  type AuthorizationItem,
  parseAuthorizationItem,
  parseKeyStatus,
} from "../../src/domain/wire/mod.ts";
import { compileItem, evaluate, questionOf } from "../../src/domain/policy/mod.ts";
import { compileStrict, evaluateCanonical } from "../reference/canonical_rules.ts";
import { compileReference, evaluateLegacy } from "../reference/legacy.ts";
import {
  acceptedValues,
  compilations,
  consequences,
  strictness,
} from "../vectors/authorization_vectors.ts";

function statusWith(rules: string): string {
  return '{"authorizationScheme":"Azure-HMAC-SHA256","keyDeliveryMethod":"http","version":"2.0",' +
    `"secureChannelEnabled":true,"authorizationRules":${rules}}`;
}

for (const vector of strictness()) {
  const { id, rules, accepted, productAccepts, path, deviation, why } = vector;
  const verb = productAccepts ? "accepts" : "rejects";
  Deno.test(`parseKeyStatus() ${verb} rules: ${id}`, () => {
    const result = parseKeyStatus(statusWith(rules));
    assert.equal(result.ok, productAccepts, why);
    if (!result.ok && path !== null) {
      assert.equal(result.error.path, path);
      assert.ok(result.error.message.includes(path), result.error.message);
    }
    if (deviation === null) assert.equal(productAccepts, accepted);
    // What others reject is never accepted here.
    if (!accepted) assert.equal(productAccepts, false);
  });
}

/** What the wire refuses besides, at the level of the whole text. Source: authorization 1.2. */
Deno.test("parseKeyStatus() rejects text behind the document", () => {
  assert.ok(parseKeyStatus(statusWith("null") + " \n").ok);
  for (const tail of ["x", "null", "{}", "/**/", "\u0000", "\ufeff"]) {
    assert.equal(parseKeyStatus(statusWith("null") + tail).ok, false, tail);
  }
});

for (const vector of acceptedValues()) {
  const { id, defaultAccess, mode, defaultAllowed, productMode, why } = vector;
  Deno.test(`parseAuthorizationItem() reads ${id}`, () => {
    const result = parseAuthorizationItem(JSON.stringify({ defaultAccess, mode, id: "x" }));
    if (!result.ok) {
      assert.equal(productMode, null, why);
      return assert.equal(result.error.path, "$.mode");
    }
    assert.equal(result.value.mode, productMode, why);
    assert.equal(compileItem(result.value).compiled.defaultAllowed, defaultAllowed, why);
    const reference = compileReference({ defaultAccess, mode, id: "x" });
    assert.equal(reference.defaultAllowed, defaultAllowed);
  });
}

function parsed(item: unknown): AuthorizationItem {
  const result = parseAuthorizationItem(JSON.stringify(item));
  assert.ok(result.ok, JSON.stringify(item));
  return result.value;
}

for (const vector of compilations()) {
  Deno.test(`compileItem() makes of ${vector.id} what the specification says`, () => {
    const { compiled } = compileItem(parsed(vector.item));
    const reference = compileReference(vector.item);
    assert.equal(compiled.defaultAllowed, vector.defaultAllowed);
    assert.equal(compiled.mode, vector.mode);
    const privileges = [...compiled.privileges].map(([key, { name, path, queryParameters }]) => {
      assert.equal(key, name);
      return [name, path, Object.fromEntries(queryParameters ?? [])];
    });
    assert.deepEqual(privileges, vector.privileges, vector.why);
    assert.deepEqual([...compiled.identities.keys()], vector.identities, vector.why);
    const assignments = (map: ReadonlyMap<string, ReadonlySet<string>>) =>
      new Map([...map].map(([name, identities]) => [name, [...identities].sort()]));
    const expected = new Map(Object.entries(vector.privilegeAssignments));
    assert.deepEqual(assignments(compiled.privilegeAssignments), expected, vector.why);
    assert.deepEqual(assignments(reference.assignments), expected, "the judge");
  });
}

for (const vector of consequences()) {
  Deno.test(`evaluate() answers ${vector.id} with ${vector.compat} and ${vector.canonical}`, () => {
    const { item, method, target, compat, canonical, why } = vector;
    const caller = { ...vector.caller, runAsElevated: false };
    const question = questionOf(method, target, { ...vector.caller, elevated: false });
    const verdict = evaluate(compileItem(parsed(item)).compiled, question, "shadow");
    assert.deepEqual([verdict.compat, verdict.canonical], [compat, canonical], why);
    const legacy = evaluateLegacy(compileReference(item), target, caller);
    assert.equal(legacy ? "allow" : "deny", compat, "the judge");
    assert.equal(evaluateCanonical(compileStrict(item), method, target, caller), canonical);
  });
}
