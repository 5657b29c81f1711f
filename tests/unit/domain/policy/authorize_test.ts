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
import { sampleCompiled, type SampleRules } from "./rule_samples.ts";

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

const RULED = sampleCompiled({
  privileges: { p: "/metadata/instance", q: "/q" },
  identities: { me: { userName: "somebody" } },
  grants: { p: ["me"] },
});

function ruled(mode: Mode, matching: PolicySnapshot["matching"] = "shadow"): PolicySnapshot {
  const rules = { kind: "rules", mode, rules: RULED } as const;
  return {
    epoch: 9,
    digest: "",
    matching,
    endpoints: { imds: rules, wireserver: rules, hostga: rules },
  };
}

function asked(target: string, policy: PolicySnapshot, userName = "somebody"): Decision {
  const caller = { ...sampleCaller(1000), account: { userName, groups: [] } };
  const subject = { endpoint: "imds", destination: ENDPOINTS.imds, caller } as const;
  return authorize({ ...subject, request: sampleRequest({ target }) }, policy);
}

Deno.test("authorize() puts the rule that granted into the grounds, and what the rules said into the record", () => {
  const decision = asked("/metadata/instances?a=b", ruled("enforce"));
  assert.equal(wordFor(decision), "rule p/me");
  assert.ok(decision.kind === "permit");
  assert.deepEqual(decision.permitted.verdict, {
    ruleSetId: "rules-1",
    privilege: "p",
    identity: "me",
    compat: "allow",
    canonical: "deny",
    divergence: true,
  });
});

Deno.test("authorize() refuses, or flags in Audit, what rules refuse", () => {
  const refused = asked("/metadata/instance", ruled("enforce"), "other");
  assert.equal(wordFor(refused), "403 rule-denied");
  assert.ok(refused.kind === "refuse" && refused.verdict?.privilege === "p");
  assert.equal(refused.verdict.divergence, false);
  const coded = asked("/metadata/instance/%zz", ruled("enforce"), "other");
  assert.ok(coded.kind === "refuse" && coded.verdict?.canonical === "CANON_PCT");
  assert.equal(coded.verdict.divergence, false);
  const flagged = asked("/other", ruled("audit"));
  assert.equal(wordFor(flagged), "audit default-denied");
  assert.ok(flagged.kind === "permit" && flagged.permitted.verdict?.compat === "deny");
  assert.equal(wordFor(asked("/q", ruled("enforce"))), "403 rule-denied");
});

Deno.test("authorize() follows the matching of the snapshot", () => {
  assert.equal(wordFor(asked("/metadata/instances", ruled("enforce", "compat"))), "rule p/me");
  const enforced = asked("/metadata/instances", ruled("enforce", "enforce"));
  assert.equal(wordFor(enforced), "403 matchers-disagree");
});

Deno.test("authorize() tells defaults and disabled items from rules, and has no record without rules", () => {
  const word = (sample: SampleRules) => {
    const rules = {
      kind: "rules",
      mode: sample.mode ?? "enforce",
      rules: sampleCompiled(sample),
    } as const;
    const endpoints = { imds: rules, wireserver: rules, hostga: rules };
    return wordFor(asked("/x", { epoch: 1, digest: "", matching: "enforce", endpoints }));
  };
  assert.equal(word({ defaultAccess: "allow" }), "default-access");
  assert.equal(word({ mode: "disabled" }), "disabled");
  const builtIn = decide("imds", 1, samplePolicy("enforce"));
  assert.ok(builtIn.kind === "permit" && builtIn.permitted.verdict === null);
});
