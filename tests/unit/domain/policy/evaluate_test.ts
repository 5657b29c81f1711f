import assert from "node:assert/strict";
import {
  type CallerClaims,
  type CompiledItem,
  evaluate,
  type Matching,
  questionOf,
  type RuleVerdict,
} from "../../../../src/domain/policy/mod.ts";
import { ALICE, BOB, sampleClaims, sampleCompiled } from "./rule_samples.ts";

const MATCHINGS: readonly Matching[] = ["compat", "shadow", "enforce"];
const TOKEN = "/metadata/identity/oauth2/token";

function ask(
  item: CompiledItem,
  target: string,
  claims: CallerClaims,
  matching: Matching = "enforce",
): RuleVerdict {
  return evaluate(item, questionOf("GET", target, claims), matching);
}

/** `compat canonical enforced`, so that a table can be read. */
function words(item: CompiledItem, target: string, claims: CallerClaims): string {
  const { compat, canonical, allowed } = ask(item, target, claims);
  return `${compat} ${canonical} ${allowed ? "allow" : "deny"}`;
}

const GRANTING = sampleCompiled({
  privileges: {
    instance: "/metadata/instance",
    goalstate: ["/machine/", { comp: "goalstate" }],
    nobody: "/metadata/private",
  },
  identities: { alice: { userName: "alice" }, ops: { groupName: "ops" } },
  grants: { instance: ["alice"], goalstate: ["ops"] },
});

const RESTRICTING = sampleCompiled({
  defaultAccess: "allow",
  privileges: { token: TOKEN, certificates: ["/machine", { comp: "certificates" }] },
  identities: { alice: { userName: "alice" } },
  grants: { token: ["alice"] },
});

Deno.test("evaluate() names privilege and identity that grant", () => {
  for (const matching of MATCHINGS) {
    assert.deepEqual(ask(GRANTING, "/metadata/instance/compute?x=1", ALICE, matching), {
      compat: "allow",
      canonical: "allow",
      allowed: true,
      privilege: "instance",
      identity: "alice",
      by: "rule",
      strictFault: null,
    });
  }
  assert.equal(ask(GRANTING, "/machine/?comp=goalstate", ALICE).identity, "ops");
});

Deno.test("evaluate() names the privilege that matched and refused", () => {
  const verdict = ask(GRANTING, "/metadata/instance", BOB);
  assert.deepEqual([verdict.by, verdict.privilege, verdict.identity], ["rule", "instance", null]);
  assert.equal(words(GRANTING, "/metadata/instance", BOB), "deny deny deny");
  assert.equal(ask(GRANTING, "/metadata/private", ALICE).privilege, "nobody");
});

Deno.test("evaluate() asks the default only where no privilege matches", () => {
  const verdict = ask(GRANTING, "/other", ALICE);
  assert.deepEqual([verdict.allowed, verdict.by, verdict.privilege], [
    false,
    "default-access",
    null,
  ]);
  assert.equal(words(RESTRICTING, "/other", BOB), "allow allow allow");
  assert.equal(words(RESTRICTING, TOKEN, BOB), "deny deny deny");
  assert.equal(words(RESTRICTING, TOKEN, ALICE), "allow allow allow");
  assert.equal(words(RESTRICTING, "/machine?comp=certificates", ALICE), "deny deny deny");
});

Deno.test("evaluate() lets one of several matching privileges suffice", () => {
  const item = sampleCompiled({
    privileges: { narrow: "/metadata/instance", broad: "/metadata" },
    identities: { alice: { userName: "alice" }, bob: { userName: "bob" } },
    grants: { narrow: ["bob"], broad: ["alice"] },
  });
  assert.equal(ask(item, "/metadata/instance", ALICE).privilege, "broad");
  assert.equal(ask(item, "/metadata/instance", BOB).privilege, "narrow");
  assert.equal(ask(item, "/metadata/other", BOB).allowed, false);
});

Deno.test("evaluate() allows everything of a disabled item and looks at nothing", () => {
  const item = sampleCompiled({ mode: "disabled" });
  for (const matching of MATCHINGS) {
    const verdict = ask(item, "/%zz\\..", sampleClaims(), matching);
    assert.equal(verdict.by, "disabled");
    assert.deepEqual([verdict.compat, verdict.canonical, verdict.allowed], [
      "allow",
      "allow",
      true,
    ]);
  }
});

Deno.test("evaluate() gives the legacy verdict in compat and shadow, and demands both in enforce", () => {
  const cases = [
    ["/metadata/instances", "allow deny"],
    ["/metadata/./instance", "deny allow"],
    ["/machine/?comp=goalstate&comp=certificates", "allow deny"],
    ["/machine/?comp=certificates&comp=goalstate", "deny deny"],
    ["/machine?comp=goalstate", "deny allow"],
    ["/metadata/instance%3Fa=b", "allow CANON_EMBQ"],
    ["/metadata/instance%zz", "allow CANON_PCT"],
  ] as const;
  for (const [target, expected] of cases) {
    assert.equal(words(GRANTING, target, ALICE), `${expected} deny`, target);
    for (const matching of ["compat", "shadow"] as const) {
      const { allowed } = ask(GRANTING, target, ALICE, matching);
      assert.equal(allowed, expected.startsWith("allow"), `${matching} ${target}`);
    }
  }
});

Deno.test("evaluate() refuses spellings of a restricted path in enforce", () => {
  const spellings = [
    "/metadata/./identity/oauth2/token",
    "/metadata/%2e/identity/oauth2/token",
    "/metadata/%2Fidentity/oauth2/token",
    "/metadata;x/identity/oauth2/token",
    "/metadata/identity\\oauth2\\token",
    "/metadata/identity%5Coauth2%5Ctoken",
    "/metadata/identity/oauth2%2Ftoken",
    "/metadata/identity/oauth2%252Ftoken",
    "/metadata/identity/oauth2/token./",
    "/metadata/identity/oauth2/token%20",
    "/metadata/identity/oauth2/to%E2%84%AAen",
    "/metadata/identity/oauth2/token%3Fa=b",
    "/METADATA/identity/oauth2/%74oken",
    "/machine/?comp=certificates",
    "/machine?comp=certificates&comp=x",
    "/machine?comp=x&comp=y",
    "/machine?c%6Fmp=%43ertificates",
    "/machine?a;comp=certificates",
  ];
  for (const target of spellings) {
    assert.equal(ask(RESTRICTING, target, BOB).allowed, false, target);
  }
});

Deno.test("evaluate() names the fault of the target and, of disagreeing matchers, the canonical privilege", () => {
  assert.equal(ask(RESTRICTING, "/a/./b", BOB).strictFault, "STRICT_DOT_SEGMENT");
  assert.equal(ask(RESTRICTING, "/a/./b", BOB, "shadow").strictFault, null);
  const verdict = ask(RESTRICTING, "/metadata/%2e/identity/oauth2/token", BOB);
  assert.deepEqual([verdict.compat, verdict.by, verdict.privilege], ["allow", "rule", "token"]);
  const unmatched = ask(GRANTING, "/metadata/instances", ALICE);
  assert.deepEqual([unmatched.by, unmatched.privilege], ["default-access", null]);
});

Deno.test("evaluate() lets a repeated key restrict in the canonical matcher", () => {
  assert.equal(words(RESTRICTING, "/machine?comp=x&comp=y", BOB), "allow deny deny");
  assert.equal(words(RESTRICTING, "/machine?x=1&x=2", BOB), "allow allow allow");
});

Deno.test("evaluate() holds the client that escapes its question mark to the grant of what it means", () => {
  const target = "/metadata/scheduledevents%3Fapi-version=2019-08-01";
  const withGrant = (date: string) =>
    sampleCompiled({
      privileges: { events: ["/metadata/scheduledevents", { "api-version": date }] },
      identities: { alice: { userName: "alice" } },
      grants: { events: ["alice"] },
    });
  assert.equal(words(withGrant("2019-08-01"), target, ALICE), "allow CANON_EMBQ allow");
  assert.equal(words(withGrant("2019-08-01"), target, BOB), "deny CANON_EMBQ deny");
  assert.equal(words(withGrant("2020-01-01"), target, ALICE), "deny CANON_EMBQ deny");
  const post = evaluate(withGrant("2019-08-01"), questionOf("POST", target, ALICE), "enforce");
  assert.equal(post.allowed, false);
});

Deno.test("evaluate() looks at the method only for its canonical form", () => {
  const verdict = evaluate(GRANTING, questionOf("TRACE", "/metadata/instance", ALICE), "shadow");
  assert.deepEqual([verdict.compat, verdict.canonical], ["allow", "CANON_METHOD"]);
});

Deno.test("evaluate() reads executables by the flavour that the item was compiled for", () => {
  const rules = {
    privileges: { p: "/p" },
    identities: { tool: { exePath: "c:/Tools/x.exe" } },
    grants: { p: ["tool"] },
  } as const;
  const claims = sampleClaims({ processFullPath: "C:\\Tools\\x.exe" });
  assert.equal(ask(sampleCompiled(rules, "windows"), "/p", claims).allowed, true);
  assert.equal(ask(sampleCompiled(rules), "/p", claims).allowed, false);
});
