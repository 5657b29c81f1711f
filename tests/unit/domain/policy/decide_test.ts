import assert from "node:assert/strict";
import {
  type CallerClaims,
  decide,
  type EndpointPolicy,
  type Matching,
  type Mode,
  type Outcome,
  questionOf,
} from "../../../../src/domain/policy/mod.ts";
import type { EndpointName } from "../../../../src/domain/wire/mod.ts";
import { ALICE, BOB, sampleCompiled, type SampleRules } from "./rule_samples.ts";

const RULES: SampleRules = {
  privileges: { p: "/p", held: "/held" },
  identities: { alice: { userName: "alice" } },
  grants: { p: ["alice"] },
};
const ROOT: CallerClaims = { ...ALICE, elevated: true };

function policy(mode: Mode, rules: SampleRules = RULES): EndpointPolicy {
  return { kind: "rules", mode, rules: sampleCompiled({ mode, ...rules }) };
}

function ask(
  installed: EndpointPolicy,
  target: string,
  claims: CallerClaims,
  endpoint: EndpointName = "imds",
  matching: Matching = "enforce",
): Outcome {
  return decide(endpoint, questionOf("GET", target, claims), installed, matching);
}

function words(outcome: Outcome): string {
  return outcome.verdict === "allow"
    ? `allow ${outcome.ground}`
    : `${outcome.verdict} ${outcome.refusal.reason}`;
}

Deno.test("decide() tells why rules refuse", () => {
  const enforced = policy("enforce");
  const cases = [
    ["/p", ALICE, "allow rule"],
    ["/p", BOB, "deny rule-denied"],
    ["/held", ALICE, "deny rule-denied"],
    ["/other", ALICE, "deny default-denied"],
    ["/pq", ALICE, "deny matchers-disagree"],
    ["/p;x", ALICE, "deny not-canonical"],
    ["/p/%zz", ALICE, "deny not-canonical"],
  ] as const;
  for (const [target, claims, expected] of cases) {
    assert.equal(words(ask(enforced, target, claims)), expected, target);
  }
});

Deno.test("decide() writes status 403 and the detail into refusals", () => {
  const details = (target: string, claims: CallerClaims, rules: SampleRules = RULES) => {
    const outcome = ask(policy("enforce", rules), target, claims);
    assert.ok(outcome.verdict !== "allow");
    assert.equal(outcome.refusal.status, 403);
    return outcome.refusal.detail;
  };
  assert.equal(
    details("/p", BOB),
    "the caller is no identity of privilege `p` of rule set `rules-1`",
  );
  assert.equal(details("/o", BOB), "no privilege of rule set `rules-1` matches");
  assert.match(details("/p;x", ALICE), /^STRICT_SEMICOLON: /);
  assert.match(details("/p/%zz", ALICE), /^CANON_PCT: /);
  assert.match(details("/p/?a=%zz", ALICE), /^CANON_PCT: a percent escape is malformed$/);
  assert.equal(
    details("/pq", ALICE),
    "no privilege of rule set `rules-1` matches the canonical request",
  );
  const both = { ...RULES, privileges: { ...RULES.privileges, q: "/pq" } };
  assert.equal(
    details("/pq", ALICE, both),
    "the canonical request needs privilege `q` of rule set `rules-1`",
  );
  const long = details("/o", BOB, { ...RULES, id: "x".repeat(199) + "\u{1f600}" });
  assert.ok(long.length < 260 && long.isWellFormed());
});

Deno.test("decide() only flags where the mode does not enforce", () => {
  assert.equal(words(ask(policy("audit"), "/p", BOB)), "flag rule-denied");
  assert.equal(words(ask(policy("audit"), "/p", ALICE)), "allow rule");
  assert.equal(words(ask(policy("disabled"), "/p", BOB)), "allow disabled");
  assert.equal(words(ask(policy("audit"), "/p", BOB, "hostga")), "flag not-elevated");
  const open = policy("enforce", { ...RULES, defaultAccess: "allow" });
  assert.equal(words(ask(open, "/o", BOB)), "allow default-access");
});

Deno.test("decide() demands an elevated caller before it looks at what rules say", () => {
  for (const endpoint of ["wireserver", "hostga"] as const) {
    const refused = ask(policy("enforce"), "/p", ALICE, endpoint);
    assert.equal(words(refused), "deny not-elevated");
    assert.equal(refused.rules?.compat, "allow", "rules are asked for the record");
    assert.equal(words(ask(policy("enforce"), "/p", ROOT, endpoint)), "allow rule");
    assert.equal(words(ask(policy("enforce"), "/o", ROOT, endpoint)), "deny default-denied");
  }
});

Deno.test("decide() lets an elevated upload of diagnostics pass before any rule", () => {
  const upload = (claims: CallerClaims, endpoint: EndpointName) =>
    decide(endpoint, questionOf("PUT", "/vmAgentLog", claims), policy("enforce"), "enforce");
  const passed = upload(ROOT, "wireserver");
  assert.deepEqual([words(passed), passed.signing, passed.rules], [
    "allow exempt-elevated",
    "exempt",
    null,
  ]);
  const other = upload({ ...ROOT, elevated: false }, "wireserver");
  assert.deepEqual([words(other), other.signing], ["deny not-elevated", "exempt"]);
  const imds = upload(ROOT, "imds");
  assert.deepEqual([words(imds), imds.signing], ["deny default-denied", "required"]);
});

Deno.test("decide() asks no rules where none are installed", () => {
  const builtIn: EndpointPolicy = { kind: "built-in", mode: "enforce" };
  const odd = ask(builtIn, "/p/%zz\\;..", BOB);
  assert.deepEqual([words(odd), odd.rules, odd.signing], ["allow built-in", null, "required"]);
  assert.equal(words(ask(builtIn, "/p", BOB, "wireserver")), "deny not-elevated");
  const upload = decide(
    "hostga",
    questionOf("PUT", "/vmAgentLog", BOB),
    { kind: "built-in", mode: "audit" },
    "compat",
  );
  assert.deepEqual([words(upload), upload.signing], ["flag not-elevated", "exempt"]);
});

Deno.test("decide() lets nobody through a closed endpoint", () => {
  const closed: EndpointPolicy = { kind: "closed", mode: "enforce", reason: "bad file" };
  const outcome = ask(closed, "/p", ALICE);
  assert.ok(outcome.verdict === "deny" && outcome.refusal.detail === "bad file");
  assert.equal(words(outcome), "deny policy-closed");
  assert.equal(words(ask({ ...closed, mode: "audit" }, "/p", ALICE)), "flag policy-closed");
});

Deno.test("decide() lets the matching say which verdict counts", () => {
  const target = "/pq";
  assert.equal(words(ask(policy("enforce"), target, ALICE, "imds", "compat")), "allow rule");
  const shadow = ask(policy("enforce"), target, ALICE, "imds", "shadow");
  assert.deepEqual([words(shadow), shadow.rules?.canonical], ["allow rule", "deny"]);
  assert.equal(words(ask(policy("audit"), target, ALICE)), "flag matchers-disagree");
});
