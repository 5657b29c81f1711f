import type { DecisionLine } from "../../../../src/agent/control/mod.ts";

/** A decision as the agent streams it. */
export function line(overrides: Partial<DecisionLine> = {}): DecisionLine {
  return {
    kind: "decision",
    wallMs: 0,
    id: 1,
    endpoint: "imds",
    method: "GET",
    target: "/metadata/instance",
    verdict: "allow",
    reason: null,
    detail: "",
    mode: "enforce",
    status: 200,
    signed: true,
    elapsedUs: 1_000,
    policyEpoch: 1,
    ruleSetId: null,
    privilege: null,
    identity: null,
    uid: 1000,
    user: "azureuser",
    pid: 1,
    exe: "/usr/bin/curl",
    exeVerified: true,
    ...overrides,
  };
}
