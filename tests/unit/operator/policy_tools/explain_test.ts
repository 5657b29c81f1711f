import assert from "node:assert/strict";
import type { EndpointPolicy, Matching } from "../../../../src/domain/policy/mod.ts";
import type { EndpointName } from "../../../../src/domain/wire/mod.ts";
import { callerOfText } from "../../../../src/operator/policy_tools/caller_text.ts";
import { explainJson, explainRequest } from "../../../../src/operator/policy_tools/explain.ts";
import { explainText } from "../../../../src/operator/policy_tools/explain_text.ts";
import { sampleCompiled, type SampleRules } from "../../domain/policy/rule_samples.ts";

const RULES: SampleRules = {
  privileges: { instance: ["/metadata/instance", { "api-version": "1" }], other: "/other" },
  identities: {
    alice: { userName: "alice", exePath: "/usr/bin/curl" },
    ops: { groupName: "ops" },
  },
  grants: { instance: ["alice", "ops"] },
};

function report(
  target: string,
  caller: string,
  { policy = rules(), endpoint = "imds" as EndpointName, matching = "shadow" as Matching } = {},
) {
  const claims = callerOfText(caller);
  assert.ok(claims.ok);
  return explainRequest(
    { endpoint, method: "GET", target, claims: claims.value },
    policy,
    matching,
  );
}

function rules(sample: SampleRules = RULES): EndpointPolicy {
  const compiled = sampleCompiled(sample);
  return { kind: "rules", mode: compiled.mode, rules: compiled };
}

function text(...of: Parameters<typeof report>): string {
  return explainText(report(...of), "rules.json", false);
}

Deno.test("explainText() begins with the verdict and what granted it", () => {
  const lines = text("/metadata/instance?api-version=1", "user=bob,groups=ops").split("\n");
  assert.equal(lines[0], 'ALLOW (rule): privilege "instance" grants it to identity "ops"');
  assert.equal(lines[1], "");
});

Deno.test("explainText() names the nearest miss in the second line", () => {
  const second = (target: string, caller: string) => text(target, caller).split("\n")[1];
  assert.equal(
    second("/metadata/instance?api-version=2", "user=alice"),
    'Nearest: privilege "instance" needs parameter "api-version" to be "1"; the request has "2".',
  );
  assert.equal(
    second("/metadata/instance", "user=alice"),
    'Nearest: privilege "instance" needs parameter "api-version" to be "1"; it is not in the request.',
  );
  assert.equal(
    second("/metadata/instance?api-version=1", "user=alice,exe=/usr/bin/wget"),
    'Nearest: identity "alice" of privilege "instance" needs exePath "/usr/bin/curl"; ' +
      `the caller's is "/usr/bin/wget".`,
  );
  assert.equal(
    second("/metadata/instance?api-version=1", "exe=/usr/bin/wget"),
    `Nearest: identity "ops" of privilege "instance" needs groupName "ops"; the caller's is none.`,
  );
  assert.equal(second("/other", "user=alice"), 'Privilege "other" matches, and nobody has it.');
  assert.equal(second("/nowhere", "user=alice"), "");
});

Deno.test("explainText() shows the trace of path, parameters and selectors", () => {
  const shown = text("/metadata/instance?api-version=1", "user=alice,exe=/x");
  assert.match(shown, /\nprivilege "instance" \/metadata\/instance: does not grant\n/);
  assert.match(shown, /\n {2}legacy {5}path matches; api-version=1 holds\n/);
  assert.match(
    shown,
    /\n {2}identity "alice" is not the caller: exePath must be "\/usr\/bin\/curl", is "\/x"\n/,
  );
  assert.match(shown, /The smallest rule that would allow it/);
  assert.match(shown, /"exePath": "\/x"/);
  const repeated = text("/metadata/instance?api-version=1&api-version=2", "groups=ops");
  assert.match(
    repeated,
    /api-version must be "1", is "1" and "2"; a repeated parameter grants nothing/,
  );
  assert.match(repeated, /grants in the legacy matcher only/);
});

Deno.test("explainText() says of each other ground why", () => {
  const head = (...of: Parameters<typeof report>) => text(...of).split("\n")[0];
  const builtIn: EndpointPolicy = { kind: "built-in", mode: "enforce" };
  assert.match(head("/x", "", { policy: builtIn })!, /^ALLOW \(built-in\): there are no rules/);
  assert.match(
    head("/x", "", { policy: rules({ defaultAccess: "allow" }) })!,
    /^ALLOW \(default-access\)/,
  );
  assert.match(head("/x", "", { policy: rules({ mode: "disabled" }) })!, /^ALLOW \(disabled\)/);
  const closed: EndpointPolicy = { kind: "closed", mode: "audit", reason: "the file is broken" };
  assert.match(
    head("/x", "", { policy: closed })!,
    /^FLAG \(policy-closed\): .*the file is broken/,
  );
  const root = text("/x", "user=root", { policy: builtIn, endpoint: "wireserver" });
  assert.match(root, /^DENY with 403 \(not-elevated\)/);
  assert.match(root, /add `elevated` to --caller/);
  assert.match(root, /No rule would allow it: rules can only narrow wireserver/);
  const guarded = text("/a/../b", "");
  assert.match(guarded, /^DENY with 403 \(path-traversal\)/);
  assert.match(guarded, /No rule would allow it: the request is refused before any rule is asked/);
});

Deno.test("explainText() tells disagreement of the matchers, codes and strict faults", () => {
  const longer = text("/metadata/instances?api-version=1", "groups=ops", { matching: "enforce" });
  assert.match(longer, /^DENY with 403 \(matchers-disagree\)/);
  assert.match(
    text("/metadata/instance%3F", ""),
    /canonical matcher {2}CANON_EMBQ, the decoded path/,
  );
  assert.match(text("/a;b", ""), /strict target {6}STRICT_SEMICOLON/);
});

Deno.test("explainText() keeps to what is near, and shows all when asked", () => {
  const names = Array.from({ length: 12 }, (_, index) => `p${index}`);
  const policy = rules({
    privileges: Object.fromEntries(names.map((name) => [name, "/x"])),
    identities: Object.fromEntries(names.map((name) => [name, { userName: name }])),
    grants: Object.fromEntries(names.map((name) => [name, names])),
  });
  const near = text("/x", "user=z", { policy });
  assert.match(near, /\nand 7 privileges more; --all shows them\n/);
  assert.match(near, /\n {2}and 4 identities more\n/);
  const whole = explainText(report("/x", "user=z", { policy }), "r", true);
  assert.ok(!whole.includes(" more"));
  assert.match(text("/x", "", { policy: rules({}) }), /The rules have no privileges/);
  const without = rules({ ...RULES, without: ["roles"] });
  assert.match(
    text("/other", "", { policy: without }),
    /legacy {5}knows no rules: a list is missing/,
  );
});

Deno.test("explainText() lets no text of a document or a request steer the terminal", () => {
  const policy = rules({
    privileges: { "p\u001b[2J\u202e": "/x\u001b" },
    identities: { "i\u0007": { userName: "u\u0007" } },
    grants: { "p\u001b[2J\u202e": ["i\u0007"] },
  });
  const shown = text("/x\u001b\u202e", "user=\u0007", { policy });
  assert.ok(!/[\p{Cc}\p{Cf}]/u.test(shown.replaceAll("\n", "")));
});

Deno.test("explainJson() holds verdict, request, caller, policy, trace and remedy", () => {
  const json = JSON.parse(JSON.stringify(
    explainJson(report("/metadata/instance?api-version=2", "user=alice,exe=/usr/bin/curl")),
  ));
  assert.deepEqual(Object.keys(json), [
    "verdict",
    "reason",
    "detail",
    "status",
    "compat",
    "canonical",
    "privilege",
    "identity",
    "request",
    "caller",
    "policy",
    "privileges",
    "omittedPrivileges",
    "remedy",
  ]);
  assert.deepEqual([json.verdict, json.reason, json.status], ["deny", "default-denied", 403]);
  assert.equal(json.policy.defaultAccess, "deny");
  assert.equal(json.remedy.fragment.privileges[0].path, "/metadata/instance");
  assert.equal(json.caller.processName, "curl");
  const allowed = explainJson(
    report("/x", "", { policy: { kind: "built-in", mode: "enforce" } }),
  );
  assert.deepEqual([allowed["detail"], allowed["status"], allowed["remedy"]], [null, null, null]);
});
