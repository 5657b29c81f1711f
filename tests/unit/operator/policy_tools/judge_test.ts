import assert from "node:assert/strict";
import { questionOf } from "../../../../src/domain/policy/mod.ts";
import { guardRefusal, judge } from "../../../../src/operator/policy_tools/judge.ts";
import { STRANGER } from "../../../../src/operator/policy_tools/probe_callers.ts";
import { sampleCompiled } from "../../domain/policy/rule_samples.ts";

Deno.test("guardRefusal() refuses what the listener refuses, with its status and reason", () => {
  for (
    const [method, target, status, reason] of [
      ["TRACE", "/", 405, "method-not-allowed"],
      ["get", "/", 405, "method-not-allowed"],
      ["GET", "", 400, "bad-request"],
      ["GET", "/a b", 400, "bad-request"],
      ["GET", `/${"a".repeat(70_000)}`, 414, "bad-request"],
      ["GET", "*", 403, "ambiguous-target"],
      ["GET", "/*", 403, "ambiguous-target"],
      ["GET", "host", 403, "ambiguous-target"],
      ["GET", "http://168.63.129.16/", 403, "ambiguous-target"],
      ["GET", "http://x:y/", 403, "ambiguous-target"],
      ["GET", "/a//b", 403, "path-traversal"],
      ["GET", "/a/%2e%2e/b", 403, "path-traversal"],
    ] as const
  ) {
    const refusal = guardRefusal("imds", { method, target });
    assert.deepEqual([refusal?.status, refusal?.reason], [status, reason], target.slice(0, 40));
  }
  assert.equal(guardRefusal("imds", { method: "GET", target: "/a?b=//..#c" }), null);
  assert.equal(guardRefusal("imds", { method: "GET", target: "http://169.254.169.254/a" }), null);
});

Deno.test("judge() lets the guards refuse in every mode, and still says what the rules say", () => {
  for (const mode of ["disabled", "audit", "enforce"] as const) {
    const rules = sampleCompiled({ mode, defaultAccess: "allow" });
    const asked = questionOf("GET", "/a/../b", STRANGER.claims);
    const judged = judge("imds", asked, { kind: "rules", mode, rules }, "shadow");
    assert.deepEqual([judged.verdict, judged.reason], ["deny", "path-traversal"]);
    assert.equal(judged.rules?.compat, "allow");
  }
});

Deno.test("judge() asks the rules also where the decision did not need them", () => {
  const rules = sampleCompiled();
  const asked = questionOf("PUT", "/vmAgentLog", STRANGER.claims);
  const judged = judge("wireserver", asked, { kind: "rules", mode: "enforce", rules }, "shadow");
  assert.deepEqual([judged.verdict, judged.reason], ["allow", "exempt-elevated"]);
  assert.equal(judged.rules?.compat, "deny");
  const closed = judge(
    "imds",
    asked,
    { kind: "closed", mode: "audit", reason: "no file" },
    "shadow",
  );
  assert.deepEqual([closed.verdict, closed.reason, closed.rules], ["flag", "policy-closed", null]);
});
