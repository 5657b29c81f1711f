import assert from "node:assert/strict";
import {
  type CallerClaims,
  compileItem,
  type EndpointPolicy,
  evaluate,
  explain,
  type Explanation,
  type Matching,
  questionOf,
} from "../../../../src/domain/policy/mod.ts";
import {
  MAX_TRACED_IDENTITIES,
  MAX_TRACED_PRIVILEGES,
} from "../../../../src/domain/policy/explain.ts";
import {
  ALICE,
  BOB,
  sampleClaims,
  sampleCompiled,
  sampleIdentity,
  sampleItem,
} from "./rule_samples.ts";

const RULES = sampleCompiled({
  id: "set",
  privileges: {
    other: "/other",
    token: ["/metadata/identity", { "api-version": "2018-02-01", resource: "R" }],
    odd: "/%zz",
  },
  identities: { svc: { userName: "svc", groupName: "ops", exePath: "/opt/x" }, any: {} },
  grants: { token: ["svc"], other: ["any"] },
});

function tell(
  target: string,
  claims: CallerClaims,
  matching: Matching = "enforce",
  policy: EndpointPolicy = { kind: "rules", mode: "enforce", rules: RULES },
): Explanation {
  return explain("imds", questionOf("GET", target, claims), policy, matching);
}

Deno.test("explain() traces path, constraints and selectors of each privilege, the near ones first", () => {
  const explanation = tell("/Metadata/identity/x?resource=r&api-version=1&api-version=2", ALICE);
  assert.deepEqual(explanation.privileges.map(({ privilege }) => privilege), [
    "token",
    "other",
    "odd",
  ]);
  const [token, other, odd] = explanation.privileges;
  assert.deepEqual(token!.legacy, {
    pathHolds: true,
    constraints: [
      { key: "api-version", wanted: "2018-02-01", found: ["1"], holds: false },
      { key: "resource", wanted: "r", found: ["r"], holds: true },
    ],
    match: "none",
  });
  assert.deepEqual(token!.canonical, {
    pathHolds: true,
    constraints: [
      { key: "api-version", wanted: "2018-02-01", found: ["1", "2"], holds: false },
      { key: "resource", wanted: "r", found: ["r"], holds: true },
    ],
    match: "restricts",
  });
  assert.deepEqual(token!.identities, [{
    identity: "svc",
    failed: "userName",
    selectors: [
      { selector: "userName", wanted: "svc", actual: "alice", holds: false },
      { selector: "exePath", wanted: "/opt/x", actual: null, holds: false },
      { selector: "groupName", wanted: "ops", actual: ["users", "ops"], holds: true },
    ],
  }]);
  assert.deepEqual(token!.grants, { legacy: false, canonical: false });
  assert.equal(other!.legacy?.pathHolds, false);
  assert.deepEqual(other!.identities[0], { identity: "any", failed: null, selectors: [] });
  assert.equal(odd!.canonical, "CANON_PCT");
  assert.equal(explanation.ruleSetId, "set");
  assert.equal(explanation.legacyPath, "/metadata/identity/x");
  assert.equal(
    explanation.canonicalTarget,
    "/metadata/identity/x?api-version=1&api-version=2&resource=r",
  );
});

Deno.test("explain() says which privilege grants, and needs no remedy then", () => {
  const explanation = tell("/other/x", BOB);
  assert.deepEqual(explanation.privileges[0]!.grants, { legacy: true, canonical: true });
  assert.equal(explanation.outcome.verdict, "allow");
  assert.equal(explanation.remedy, null);
});

Deno.test("explain() tells the code of a request without canonical form, and what strictness minds", () => {
  const explanation = tell("/other%2F%zz", BOB);
  assert.deepEqual(
    [explanation.canonCode, explanation.canonicalTarget, explanation.strictFault],
    ["CANON_PCT", null, "STRICT_ENCODED_SLASH"],
  );
  assert.equal(explanation.privileges[0]!.canonical, "CANON_PCT");
  assert.equal(tell("/other", BOB, "compat").strictFault, null);
  const known = tell("/metadata/scheduledevents%3Fapi-version=2019-08-01", BOB);
  assert.deepEqual([known.canonCode, known.strictFault], ["CANON_EMBQ", null]);
});

Deno.test("explain() asks the rules even where the decision did not need them", () => {
  const upload = questionOf("PUT", "/vmAgentLog", { ...BOB, elevated: true });
  const policy = { kind: "rules", mode: "enforce", rules: RULES } as const;
  const explanation = explain("wireserver", upload, policy, "shadow");
  assert.equal(explanation.outcome.rules, null);
  assert.equal(explanation.rules?.compat, "deny");
  const builtIn = tell("/x", BOB, "shadow", { kind: "built-in", mode: "enforce" });
  assert.deepEqual([builtIn.rules, builtIn.ruleSetId, builtIn.privileges], [null, null, []]);
});

Deno.test("explain() traces privileges that only the canonical matcher knows", () => {
  const rules = sampleCompiled({ privileges: { p: "/p" }, without: ["identities"] });
  const [trace] =
    tell("/p", ALICE, "enforce", { kind: "rules", mode: "enforce", rules }).privileges;
  assert.equal(trace!.legacy, null);
  assert.ok(typeof trace!.canonical !== "string" && trace!.canonical.match === "grants");
});

Deno.test("explain() bounds what it lists and says how much it leaves out", () => {
  const privileges = Object.fromEntries(
    Array.from({ length: MAX_TRACED_PRIVILEGES + 3 }, (_, at) => [`p${at}`, `/x${at}`]),
  );
  const names = Array.from({ length: MAX_TRACED_IDENTITIES + 2 }, (_, at) => `i${at}`);
  const rules = sampleCompiled({
    privileges,
    identities: Object.fromEntries(names.map((userName) => [userName, { userName }])),
    grants: { p1002: names },
  });
  const explanation = tell("/x1002", ALICE, "enforce", { kind: "rules", mode: "enforce", rules });
  assert.equal(explanation.privileges.length, MAX_TRACED_PRIVILEGES);
  assert.equal(explanation.omittedPrivileges, 3);
  const trace = explanation.privileges.find(({ privilege }) => privilege === "p1002")!;
  assert.equal(trace.identities.length, MAX_TRACED_IDENTITIES);
  assert.equal(trace.omittedIdentities, 2);
});

function fragment(explanation: Explanation) {
  assert.ok(explanation.remedy?.kind === "rule", JSON.stringify(explanation.remedy));
  return explanation.remedy.fragment;
}

function why(explanation: Explanation): string {
  assert.ok(explanation.remedy?.kind === "none", JSON.stringify(explanation.remedy));
  return explanation.remedy.why;
}

Deno.test("explain() suggests the smallest rule that allows the request", () => {
  const caller = sampleClaims({ userName: "alice", processName: "x", processFullPath: "/opt/x" });
  assert.deepEqual(fragment(tell("/Metadata/Identity/?Resource=R&n=1", caller)), {
    privileges: [{
      name: "granted-request",
      path: "/metadata/identity/",
      queryParameters: { resource: "r", n: "1" },
    }],
    roles: [{ name: "granted-request", privileges: ["granted-request"] }],
    identities: [{ name: "granted-caller", userName: "alice", exePath: "/opt/x" }],
    roleAssignments: [{ role: "granted-request", identities: ["granted-caller"] }],
  });
});

Deno.test("explain() suggests rules that work once they are in the document", () => {
  const targets = [
    "/metadata/identity?resource=r&resource=s&a=b%26c",
    "/m?k=a%2Bb&l=c+d",
    "/%C3%A9",
  ];
  for (const target of [...targets, "/x%2520y", "/", "/metadata/instance%3Fa=1"]) {
    for (const matching of ["shadow", "enforce"] as const) {
      const { remedy } = tell(target, ALICE, matching);
      if (remedy?.kind !== "rule") continue;
      const { privileges, identities, roles, roleAssignments } = remedy.fragment;
      const { compiled } = compileItem({
        ...sampleItem(),
        rules: {
          privileges: privileges.map(({ name, path, queryParameters }) => ({
            name,
            path,
            queryParameters: new Map(Object.entries(queryParameters ?? {})),
          })),
          identities: identities.map(({ name, ...selectors }) => sampleIdentity(name, selectors)),
          roles,
          roleAssignments,
        },
      });
      const question = questionOf("GET", target, ALICE);
      assert.equal(evaluate(compiled, question, matching).allowed, true, target);
      assert.equal(evaluate(compiled, { ...question, claims: BOB }, matching).allowed, false);
      assert.equal(
        evaluate(compiled, questionOf("GET", "/other", ALICE), matching).allowed,
        target === "/",
      );
    }
  }
  assert.ok(tell("/m?k=a%2Bb&l=c+d", ALICE).remedy?.kind === "rule");
  assert.ok(tell("/metadata/instance%3Fa=1", ALICE, "shadow").remedy?.kind === "rule");
});

Deno.test("explain() leaves out parameters that no constraint can hold", () => {
  const { privileges } = fragment(tell("/m?twice=1&twice=2&plus=a%2Bb&k=v", ALICE));
  assert.deepEqual(privileges[0]!.queryParameters, { k: "v" });
  const bare = fragment(tell("/m", ALICE)).privileges[0]!;
  assert.equal("queryParameters" in bare, false);
});

Deno.test("explain() suggests a bounded number of parameters", () => {
  const query = Array.from({ length: 40 }, (_, at) => `k${at}=v`).join("&");
  const { privileges } = fragment(tell(`/m?${query}`, ALICE));
  assert.equal(Object.keys(privileges[0]!.queryParameters!).length, 16);
});

Deno.test("explain() shows the process name next to the selector that asks for it", () => {
  const rules = sampleCompiled({
    privileges: { p: "/p" },
    identities: { tool: { processName: "tool" } },
    grants: { p: ["tool"] },
  });
  const claims = sampleClaims({ processName: "other" });
  const [trace] =
    tell("/p", claims, "enforce", { kind: "rules", mode: "enforce", rules }).privileges;
  assert.deepEqual(trace!.identities[0]!.selectors, [
    { selector: "processName", wanted: "tool", actual: "other", holds: false },
  ]);
});

Deno.test("explain() names the caller by what is known", () => {
  const identityFor = (claims: CallerClaims) => fragment(tell("/m", claims)).identities[0];
  const name = "granted-caller";
  assert.deepEqual(identityFor(sampleClaims({ userName: "u" })), { name, userName: "u" });
  assert.deepEqual(identityFor(sampleClaims({ processFullPath: "/x" })), { name, exePath: "/x" });
  assert.deepEqual(identityFor(sampleClaims({ processName: "x" })), { name, processName: "x" });
  assert.deepEqual(identityFor(sampleClaims({ userGroups: ["g"] })), { name, groupName: "g" });
  assert.match(why(tell("/m", sampleClaims())), /nothing is known of the caller/);
});

Deno.test("explain() takes names that are free", () => {
  const rules = sampleCompiled({
    privileges: { "granted-request": "/a", "granted-request-2": "/b" },
    identities: { "granted-caller": { userName: "x" } },
  });
  const { privileges, identities } = fragment(
    tell("/m", ALICE, "enforce", { kind: "rules", mode: "enforce", rules }),
  );
  assert.deepEqual(
    [privileges[0]!.name, identities[0]!.name],
    ["granted-request-3", "granted-caller-2"],
  );
});

Deno.test("explain() says so where no rule can help", () => {
  const policy = { kind: "rules", mode: "enforce", rules: RULES } as const;
  const refused = explain("hostga", questionOf("GET", "/m", ALICE), policy, "shadow");
  assert.match(why(refused), /rules can only narrow hostga/);
  const closed = { kind: "closed", mode: "enforce", reason: "r" } as const;
  assert.match(why(tell("/m", ALICE, "enforce", closed)), /closed/);
  assert.match(why(tell("/m%zz", ALICE)), /no canonical form \(a percent escape is malformed\)/);
  assert.match(why(tell("/m/./x", ALICE)), /spelt plainly/);
});
