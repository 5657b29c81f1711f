import assert from "node:assert/strict";
import type { EndpointPolicy } from "../../../../src/domain/policy/mod.ts";
import {
  claimsKey,
  nearMisses,
  STRANGER,
} from "../../../../src/operator/policy_tools/probe_callers.ts";
import { callerOfIdentity } from "../../../../src/operator/policy_tools/probe_callers.ts";
import { type Probe, probesOf } from "../../../../src/operator/policy_tools/probes.ts";
import {
  sampleCompiled,
  sampleIdentity,
  type SampleRules,
} from "../../domain/policy/rule_samples.ts";

function policy(sample: SampleRules): EndpointPolicy {
  return { kind: "rules", mode: "enforce", rules: sampleCompiled(sample) };
}

function all(policies: readonly EndpointPolicy[], most?: number) {
  const probes: Probe[] = [];
  const steps = probesOf(policies, most);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return { probes, isCut: step.value.isCut };
    probes.push(step.value);
  }
}

Deno.test("probesOf() asks about every path of both, by everybody whom either knows, once", () => {
  const one = policy({
    privileges: { p: "/a" },
    identities: { u: { userName: "u" } },
    grants: { p: ["u"] },
  });
  const two = policy({
    privileges: { q: "/b" },
    identities: { v: { groupName: "v" } },
    grants: { q: ["v"] },
  });
  const { probes, isCut } = all([one, two]);
  assert.equal(isCut, false);
  const keys = probes.map(({ target, caller }) => `${target} ${claimsKey(caller.claims)}`);
  assert.equal(new Set(keys).size, keys.length);
  for (const target of ["/a", "/b"]) {
    for (const label of ['identity "u"', 'identity "v"', STRANGER.label]) {
      assert.ok(probes.some((probe) => probe.target === target && probe.caller.label === label));
    }
  }
  assert.deepEqual(all([one, two]).probes, probes, "the same again");
});

Deno.test("probesOf() ends where it is told to, and says so", () => {
  const { probes, isCut } = all([policy({ privileges: { p: "/a", q: "/b" } })], 10);
  assert.deepEqual([probes.length, isCut], [10, true]);
  assert.equal(all([policy({})], 1).isCut, true);
  assert.equal(all([{ kind: "built-in", mode: "enforce" }]).probes.length, 4);
});

Deno.test("nearMisses() change one claim each", () => {
  const whole = callerOfIdentity(sampleIdentity("i", {
    userName: "u",
    groupName: "g",
    exePath: "/x/y",
  }));
  assert.equal(whole.claims.processName, "y");
  assert.deepEqual(nearMisses(whole).map(({ claims }) => claimsKey(claims)), [
    '["u-probe",["g"],"y","/x/y",true]',
    '[null,["g"],"y","/x/y",true]',
    '["u",["g"],"y-probe","/x/y-probe",true]',
    '["u",["g"],null,null,true]',
    '["u",[],"y","/x/y",true]',
  ]);
  const named = callerOfIdentity(sampleIdentity("i", { processName: "p" }));
  assert.deepEqual(nearMisses(named).map(({ claims }) => claims.processName), ["p-probe"]);
  assert.deepEqual(nearMisses(STRANGER), []);
});
