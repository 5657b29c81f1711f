/** The judge of the engine, `tests/reference`, is itself held to the tables of the specification. */
import assert from "node:assert/strict";
import { canonicalizeReference } from "../reference/canonical.ts";
import { patternMatches, patternOf } from "../reference/canonical_rules.ts";
import { decideReference, type Outcome } from "../reference/decision.ts";
import type { CallerDocument, ItemDocument } from "../reference/documents.ts";
import {
  compileReference,
  identityMatches,
  matchesLegacy,
  prepareLegacy,
  samePath,
} from "../reference/legacy.ts";
import { lowerUnicode } from "../reference/text.ts";
import type {
  CanonicalVector,
  DecisionVector,
  IdentityVector,
  LowerVector,
  MatchVector,
  PathVector,
  PatternVector,
} from "../vectors/authorization_vectors.ts";
import * as vectors from "../vectors/authorization_vectors.ts";

function compiled({ rulePath, constraints }: MatchVector) {
  const item: ItemDocument = {
    defaultAccess: "deny",
    mode: "enforce",
    id: "r",
    rules: {
      privileges: [{ name: "p", path: rulePath, queryParameters: constraints }],
      roles: [],
      identities: [],
      roleAssignments: [],
    },
  };
  return compileReference(item).privileges.get("p")!;
}

Deno.test("the reference matchers reproduce the table of 3.5", () => {
  const failed = vectors.matching().filter((vector: MatchVector) => {
    const privilege = compiled(vector);
    const legacy = matchesLegacy(privilege, prepareLegacy(vector.target));
    const [canonical, product] = [true, false].map((joined) => {
      const pattern = patternOf(privilege, joined);
      assert.ok(typeof pattern !== "string", vector.id);
      const request = canonicalizeReference("GET", vector.target);
      if (typeof request === "string") return request;
      return patternMatches(pattern, request, !joined) === true ? "yes" : "no";
    });
    return legacy !== vector.legacy || canonical !== vector.canonical ||
      product !== vector.productCanonical;
  });
  assert.deepEqual(failed, []);
});

Deno.test("the reference canonicaliser reproduces the table of 3.15", () => {
  const failed = vectors.canonical().filter((vector: CanonicalVector) => {
    const result = canonicalizeReference(vector.method, vector.target);
    if (typeof result === "string") return result !== vector.productCode;
    if (vector.productCode !== null) return true;
    const { kind, family, address, host, port } = vector.destination!;
    const name = kind !== "unknown"
      ? kind
      : `unknown:${family}:${family === "v6" ? "" : address ?? host ?? ""}:${port}`;
    const found = result.destination.replace(/^unknown:v6:.*:(\d+)$/, "unknown:v6::$1");
    return found !== name ||
      JSON.stringify([result.segments, result.trailingSlash, result.query]) !==
        JSON.stringify([vector.segments, vector.trailingSlash, vector.query]);
  });
  assert.deepEqual(failed, []);
});

Deno.test("the reference patterns are those of 3.16", () => {
  for (const vector of vectors.patterns() as readonly PatternVector[]) {
    const lowered = Object.entries(vector.constraints ?? {})
      .map(([key, value]) => [lowerUnicode(key), lowerUnicode(value)] as const);
    const privilege = { path: lowerUnicode(vector.path), constraints: lowered };
    const { segments, query, productQuery } = vector;
    assert.deepEqual(patternOf(privilege, true), vector.code ?? { segments, query }, vector.id);
    const own = vector.code ?? { segments, query: productQuery };
    assert.deepEqual(patternOf(privilege, false), own, vector.id);
  }
});

Deno.test("the reference identities are those of 3.3", () => {
  for (const vector of vectors.identities() as readonly IdentityVector[]) {
    const identity = { name: "i", ...vector.selectors };
    const caller: CallerDocument = { ...vector.caller, runAsElevated: false };
    assert.equal(identityMatches(identity, caller), vector.matches, vector.id);
  }
  for (const vector of vectors.paths() as readonly PathVector[]) {
    assert.equal(samePath(vector.left, vector.right), vector.equal, vector.id);
    assert.equal(samePath(vector.right, vector.left), vector.equal, vector.id);
  }
});

Deno.test("the reference lower case is that of 3.17", () => {
  for (const vector of vectors.lowerCase() as readonly LowerVector[]) {
    assert.equal(lowerUnicode(vector.text), vector.lower, vector.id);
  }
});

Deno.test("the reference decision reproduces the table of 2.6", () => {
  for (const vector of vectors.decisions() as readonly DecisionVector[]) {
    const item: ItemDocument | null = vector.item === null ? null : {
      defaultAccess: vector.evaluates ? "allow" : "deny",
      mode: vector.item,
      id: "r",
    };
    const { endpoint, method, target, elevated } = vector;
    const caller: CallerDocument = {
      userName: null,
      userGroups: [],
      processName: null,
      processFullPath: null,
      runAsElevated: elevated,
    };
    const outcome: Outcome = decideReference({ item, endpoint, method, target, caller });
    assert.equal(outcome, vector.reference, vector.id);
  }
});
