import assert from "node:assert/strict";
import {
  authorize,
  type Decision,
  isPermitted,
  type Mode,
  type PolicySnapshot,
} from "../../../../src/domain/policy/mod.ts";
import {
  type ClientRequest,
  ENDPOINT_NAMES,
  type EndpointName,
  ENDPOINTS,
} from "../../../../src/domain/wire/mod.ts";
import { sampleCaller, samplePolicy, sampleRequest } from "../sample_values.ts";

const MODES: readonly Mode[] = ["disabled", "audit", "enforce"];

function decide(
  endpoint: EndpointName,
  uid: number,
  policy: PolicySnapshot,
  request: ClientRequest = sampleRequest(),
): Decision {
  const destination = ENDPOINTS[endpoint];
  return authorize({ request, endpoint, destination, caller: sampleCaller(uid) }, policy);
}

/** One word for a decision, so that a table can be read. */
function wordFor(decision: Decision): string {
  if (decision.kind === "refuse") return `${decision.refusal.status} ${decision.refusal.reason}`;
  const { grounds } = decision.permitted;
  if (grounds.kind === "audit-only") return `audit ${grounds.wouldRefuse.reason}`;
  const { by } = grounds;
  return typeof by === "string" ? by : `rule ${by.privilege}/${by.identity}`;
}

Deno.test("authorize() follows the table of the built-in defaults", () => {
  for (const mode of MODES) {
    const word = (endpoint: EndpointName, uid: number) =>
      wordFor(decide(endpoint, uid, samplePolicy(mode)));
    assert.equal(word("imds", 1000), "built-in", mode);
    assert.equal(word("imds", 0), "built-in", mode);
    for (const endpoint of ["wireserver", "hostga"] as const) {
      assert.equal(word(endpoint, 0), "built-in", mode);
      assert.equal(
        word(endpoint, 1000),
        mode === "enforce" ? "403 not-elevated" : "audit not-elevated",
        `${mode} ${endpoint}`,
      );
    }
  }
});

Deno.test("authorize() lets nobody through a closed endpoint in Enforce and everybody in Audit", () => {
  for (const mode of MODES) {
    const prefix = mode === "enforce" ? "403" : "audit";
    const word = (endpoint: EndpointName, uid: number) =>
      wordFor(decide(endpoint, uid, samplePolicy(mode, "closed")));
    assert.equal(word("imds", 1000), `${prefix} policy-closed`);
    assert.equal(word("imds", 0), `${prefix} policy-closed`);
    assert.equal(word("wireserver", 0), `${prefix} policy-closed`);
    assert.equal(word("hostga", 1000), `${prefix} not-elevated`);
  }
});

Deno.test("authorize() looks at the endpoint's own policy", () => {
  const policy: PolicySnapshot = {
    epoch: 1,
    digest: "",
    matching: "shadow",
    endpoints: {
      wireserver: { kind: "built-in", mode: "enforce" },
      imds: { kind: "closed", mode: "enforce", reason: "r" },
      hostga: { kind: "built-in", mode: "audit" },
    },
  };
  assert.equal(wordFor(decide("wireserver", 5, policy)), "403 not-elevated");
  assert.equal(wordFor(decide("imds", 5, policy)), "403 policy-closed");
  assert.equal(wordFor(decide("hostga", 5, policy)), "audit not-elevated");
});

Deno.test("authorize() goes by uid 0, whatever gid and name say", () => {
  const caller = sampleCaller(65_534);
  const grouped = { ...caller, record: { ...caller.record, gid: 0 } };
  const destination = ENDPOINTS.wireserver;
  const subject = { request: sampleRequest(), endpoint: "wireserver", destination } as const;
  const policy = samplePolicy("enforce");
  assert.equal(wordFor(authorize({ ...subject, caller: grouped }, policy)), "403 not-elevated");
  const named = { ...grouped, account: { userName: "root", groups: ["root"] } };
  assert.equal(wordFor(authorize({ ...subject, caller: named }, policy)), "403 not-elevated");
  assert.equal(wordFor(authorize({ ...subject, caller: sampleCaller(0) }, policy)), "built-in");
});

const UPLOAD = sampleRequest({ method: "PUT", target: "/vmAgentLog" });

Deno.test("authorize() lets root upload diagnostics whatever the policy says, unsigned", () => {
  for (const endpoint of ["wireserver", "hostga"] as const) {
    const decision = decide(endpoint, 0, samplePolicy("enforce", "closed"), UPLOAD);
    assert.equal(wordFor(decision), "exempt-elevated");
    assert.ok(decision.kind === "permit" && decision.permitted.signing === "exempt");
  }
});

Deno.test("authorize() exempts nobody else from the policy", () => {
  assert.equal(
    wordFor(decide("wireserver", 7, samplePolicy("enforce"), UPLOAD)),
    "403 not-elevated",
  );
  const audited = decide("wireserver", 7, samplePolicy("audit"), UPLOAD);
  assert.equal(wordFor(audited), "audit not-elevated");
  assert.ok(audited.kind === "permit" && audited.permitted.signing === "exempt");
});

Deno.test("authorize() exempts nothing on IMDS", () => {
  assert.equal(
    wordFor(decide("imds", 0, samplePolicy("enforce", "closed"), UPLOAD)),
    "403 policy-closed",
  );
  const decision = decide("imds", 0, samplePolicy("enforce"), UPLOAD);
  assert.ok(decision.kind === "permit" && decision.permitted.signing === "required");
});

Deno.test("authorize() demands a signature for every other request, in every mode", () => {
  for (const endpoint of ENDPOINT_NAMES) {
    for (const mode of MODES) {
      const decision = decide(endpoint, 0, samplePolicy(mode));
      assert.ok(decision.kind === "permit" && decision.permitted.signing === "required");
    }
  }
});

Deno.test("authorize() puts the epoch of the policy into permits and refusals", () => {
  assert.equal(decisionEpoch(decide("imds", 1, samplePolicy("enforce"))), 3);
  assert.equal(decisionEpoch(decide("wireserver", 1, samplePolicy("enforce"))), 3);
});

function decisionEpoch(decision: Decision): number {
  return decision.kind === "permit" ? decision.permitted.epoch : decision.epoch;
}

Deno.test("authorize() says what was refused", () => {
  const decision = decide("wireserver", 1000, samplePolicy("enforce"));
  assert.ok(decision.kind === "refuse");
  assert.equal(decision.refusal.detail, "only root may use wireserver");
});

Deno.test("isPermitted() knows a permit from its copies", () => {
  const decision = decide("imds", 1, samplePolicy("enforce"));
  assert.ok(decision.kind === "permit");
  assert.equal(isPermitted(decision.permitted), true);
  assert.equal(isPermitted({ ...decision.permitted }), false);
  assert.equal(isPermitted(Object.create(decision.permitted)), false);
});
