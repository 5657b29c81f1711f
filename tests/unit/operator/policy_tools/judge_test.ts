import assert from "node:assert/strict";
import { questionOf } from "../../../../src/domain/policy/mod.ts";
import { judge } from "../../../../src/operator/policy_tools/judge.ts";
import { STRANGER } from "../../../../src/operator/policy_tools/probe_callers.ts";
import { sampleCompiled } from "../../domain/policy/rule_samples.ts";

Deno.test("judge() lets the guards refuse in every mode, and still says what the rules say", () => {
  for (const mode of ["disabled", "audit", "enforce"] as const) {
    const rules = sampleCompiled({ mode, defaultAccess: "allow" });
    const asked = questionOf("GET", "/a/../b", STRANGER.claims);
    const judged = judge("imds", asked, { kind: "rules", mode, rules }, "shadow");
    assert.deepEqual([judged.verdict, judged.reason], ["deny", "path-traversal"]);
    assert.equal(judged.rules?.compat, "allow");
  }
});

Deno.test("judge() decides about the path of an absolute form, as the agent does", () => {
  const policy = { kind: "built-in", mode: "enforce" } as const;
  const verdictOf = (target: string) => {
    const asked = questionOf("PUT", target, STRANGER.claims);
    const { verdict, reason } = judge("wireserver", asked, policy, "shadow");
    return [verdict, reason];
  };
  assert.deepEqual(verdictOf("http://168.63.129.16/vmAgentLog"), verdictOf("/vmAgentLog"));
  assert.deepEqual(verdictOf("http://169.254.169.254/vmAgentLog"), ["deny", "ambiguous-target"]);
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
