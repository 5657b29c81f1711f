import assert from "node:assert/strict";
import {
  buildPolicy,
  hostRules,
  INITIAL_LOCAL_STATE,
  initialPolicy,
  type LocalState,
  type PolicyContent,
  policySnapshot,
  policySteps,
  stepLocal,
} from "../../../../src/domain/policy/mod.ts";
import {
  type KeyStatus,
  parseKeyStatus,
  parseLocalRules,
} from "../../../../src/domain/wire/mod.ts";

const V1 = {
  authorizationScheme: "Azure-HMAC-SHA256",
  keyDeliveryMethod: "http",
  version: "1.0",
  secureChannelState: "Wireserver",
};
const V2 = { ...V1, version: "2.0", secureChannelEnabled: true, secureChannelState: undefined };
const OPEN = { defaultAccess: "allow", mode: "enforce", id: "a" };
const RULES = {
  privileges: [{ name: "p", path: "/" }],
  roles: [],
  identities: [],
  roleAssignments: [],
};

function parsed(document: Record<string, unknown>): KeyStatus {
  const status = parseKeyStatus(JSON.stringify(document));
  assert.ok(status.ok, JSON.stringify(status));
  return status.value;
}

function built(document: Record<string, unknown>): PolicyContent {
  const policy = buildPolicy(parsed(document));
  assert.ok(policy.ok, JSON.stringify(policy));
  return policy.value.content;
}

function v2(wireserver: unknown, imds: unknown): PolicyContent {
  return built({ ...V2, authorizationRules: { wireserver, imds } });
}

Deno.test("buildPolicy() maps the states of version 1.0 to built-in policies", () => {
  assert.deepEqual(built(V1).endpoints, {
    wireserver: { kind: "built-in", mode: "enforce" },
    imds: { kind: "built-in", mode: "audit" },
    hostga: { kind: "built-in", mode: "enforce" },
  });
});

Deno.test("buildPolicy() compiles every item, in its mode, and HostGAPlugin gets WireServer's", () => {
  const { endpoints } = v2({ ...OPEN, rules: RULES }, { ...OPEN, mode: "audit" });
  assert.ok(endpoints.wireserver.kind === "rules" && endpoints.imds.kind === "rules");
  assert.equal(endpoints.hostga, endpoints.wireserver);
  assert.deepEqual([...endpoints.wireserver.rules.privileges.keys()], ["p"]);
  assert.deepEqual([endpoints.imds.mode, endpoints.imds.rules.mode], ["audit", "audit"]);
  assert.equal(endpoints.imds.rules.id, "a-useLocalFileRules-false");
  assert.deepEqual(v2(null, OPEN).endpoints.wireserver, { kind: "built-in", mode: "disabled" });
});

Deno.test("buildPolicy() carries the matching, shadow by default", () => {
  assert.equal(v2(OPEN, null).matching, "shadow");
  const enforcing = buildPolicy(parsed(V1), "enforce");
  assert.ok(enforcing.ok);
  assert.equal(enforcing.value.content.matching, "enforce");
  assert.notEqual(enforcing.value.content.digest, built(V1).digest);
});

Deno.test("buildPolicy() refuses a document with a privilege that has no canonical form", () => {
  const rules = { ...RULES, privileges: [{ name: "p", path: "/a/../../b" }] };
  const authorizationRules = { wireserver: OPEN, imds: { ...OPEN, rules } };
  const policy = buildPolicy(parsed({ ...V2, authorizationRules }));
  assert.ok(!policy.ok);
  assert.equal(policy.error.endpoint, "imds");
  assert.match(policy.error.reason, /^\$\.imds\.rules\.privileges\[0\] /);
});

Deno.test("policySteps() refuses rules that fail the self-test, with rule, mutation and smallest request", () => {
  const status = parsed({ ...V2, authorizationRules: { imds: { ...OPEN, rules: RULES } } });
  const steps = policySteps({
    status,
    rules: hostRules(status.authorizationRules),
    matching: "shadow",
    proof: function* (item) {
      yield;
      const failure = {
        ruleSetId: item.id,
        privilege: "p",
        mutation: "double slash",
        method: "GET",
        target: "//x",
        caller: "stranger",
        expected: "deny",
        actual: "allow",
      } as const;
      return {
        ruleSetId: item.id,
        privileges: 1,
        evaluations: 1,
        failures: [failure],
        failureCount: 3,
      };
    },
  });
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  assert.deepEqual(step.value, {
    ok: false,
    error: {
      endpoint: "imds",
      reason: '$.imds.rules: self-test of privilege "p" fails with mutation double slash: ' +
        "GET //x of a stranger gets allow, not deny; 3 failures in all",
    },
  });
});

Deno.test("buildPolicy() hands on what is odd", () => {
  const rules = { ...RULES, roles: null };
  const policy = buildPolicy(parsed({ ...V2, authorizationRules: { imds: { ...OPEN, rules } } }));
  assert.ok(policy.ok);
  assert.deepEqual(
    policy.value.warnings.map(({ endpoint, code, path }) => [endpoint, code, path]),
    [["imds", "list-missing", "$.imds.rules.roles"]],
  );
});

/** The local state of an endpoint that wants local rules and has this file. */
function localState(status: KeyStatus, text: string): LocalState {
  const item = status.authorizationRules?.imds ?? null;
  const rules = parseLocalRules(text);
  const looked = stepLocal(
    stepLocal(INITIAL_LOCAL_STATE, { kind: "polled", item, hasChanged: true }).next,
    { kind: "looked", file: { kind: "present", fingerprint: "1" } },
    true,
  );
  return stepLocal(looked.next, {
    kind: "read",
    content: rules.ok
      ? { kind: "rules", rules: rules.value, fingerprint: "1" }
      : { kind: "refused", cause: rules.error.message },
  }).next;
}

function withLocal(imds: Record<string, unknown>, text: string) {
  const id = btoa('{"id":"a","useLocalFileRules":true}');
  const status = parsed({ ...V2, authorizationRules: { imds: { ...OPEN, ...imds, id } } });
  const { effective } = localState(status, text);
  const steps = policySteps({
    status,
    rules: { wireserver: null, imds: effective, hostga: null },
    matching: "shadow",
  });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

Deno.test("policySteps() compiles the merged item, and closes the endpoint whose file is refused", () => {
  const merged = withLocal({}, '{"id":"f","defaultAccess":"deny"}');
  assert.ok(merged.ok && merged.value.content.endpoints.imds.kind === "rules");
  assert.equal(merged.value.content.endpoints.imds.rules.id, "a-useLocalFileRules-true_f");
  assert.equal(merged.value.content.endpoints.imds.rules.defaultAllowed, false);
  const closed = withLocal({}, "{");
  assert.ok(closed.ok && closed.value.content.endpoints.imds.kind === "closed");
  assert.equal(closed.value.content.endpoints.imds.mode, "enforce");
  assert.notEqual(closed.value.content.digest, merged.value.content.digest);
});

Deno.test("policySteps() lays an error of the local file to it, and one of the host's rules to the host", () => {
  const bad = JSON.stringify({ ...RULES, privileges: [{ name: "q", path: "/%zz" }] });
  const mine = withLocal({ rules: RULES }, `{"rules":${bad}}`);
  assert.ok(mine.ok && mine.value.content.endpoints.imds.kind === "closed");
  assert.match(mine.value.content.endpoints.imds.reason, /local rule file cannot be used/);
  const theirs = withLocal(
    { rules: { ...RULES, privileges: [{ name: "q", path: "/%zz" }] } },
    '{"defaultAccess":"deny"}',
  );
  assert.ok(!theirs.ok);
});

Deno.test("buildPolicy() disables everything while the channel is not enabled", () => {
  const document = {
    ...V2,
    secureChannelEnabled: false,
    authorizationRules: { wireserver: OPEN, imds: { ...OPEN, rules: RULES } },
  };
  const { endpoints } = built(document);
  assert.equal(endpoints.wireserver.mode, "disabled");
  assert.equal(endpoints.imds.mode, "disabled");
});

Deno.test("buildPolicy() takes the stricter mode where version 1.0 carries items", () => {
  const modes = (state: string, wireserver: string, imds: string) => {
    const { endpoints } = built({
      ...V1,
      secureChannelState: state,
      authorizationRules: {
        wireserver: { ...OPEN, mode: wireserver },
        imds: { ...OPEN, mode: imds },
      },
    });
    return [endpoints.wireserver.mode, endpoints.imds.mode];
  };
  assert.deepEqual(modes("Wireserver", "disabled", "enforce"), ["enforce", "enforce"]);
  assert.deepEqual(modes("Wireserver", "audit", "disabled"), ["enforce", "audit"]);
  assert.deepEqual(modes("Disabled", "enforce", "enforce"), ["disabled", "disabled"]);
});

Deno.test("buildPolicy() gives content another digest for every change, and for none the same", () => {
  const contents = [
    built(V1),
    built({ ...V1, secureChannelState: "WireserverAndImds" }),
    built({ ...V1, secureChannelState: "Disabled" }),
    v2(OPEN, null),
    v2(null, OPEN),
    v2({ ...OPEN, id: "b" }, null),
    v2({ ...OPEN, mode: "audit" }, null),
    v2({ ...OPEN, defaultAccess: "deny" }, null),
    v2({ ...OPEN, rules: RULES }, null),
    v2({ ...OPEN, rules: { ...RULES, privileges: [{ name: "p", path: "/x" }] } }, null),
    v2({ ...OPEN, unknown: 1 }, null),
    v2(null, { ...OPEN, id: "b" }),
    v2(null, { ...OPEN, rules: RULES }),
    initialPolicy(),
  ];
  assert.equal(new Set(contents.map(({ digest }) => digest)).size, contents.length);
  for (const { digest } of contents) assert.match(digest, /^[0-9a-f]{64}$/);
  const reordered = { id: "a", mode: "enforce", defaultAccess: "allow" };
  assert.equal(v2(OPEN, null).digest, v2(reordered, null).digest);
  assert.equal(built(V1).digest, built({ ...V1, keyGuid: "x", keyIncarnationId: 7 }).digest);
});

Deno.test("initialPolicy() enforces the built-in defaults", () => {
  const policy = { kind: "built-in", mode: "enforce" };
  assert.deepEqual(initialPolicy().endpoints, { wireserver: policy, imds: policy, hostga: policy });
});

Deno.test("policySnapshot() is a snapshot that nobody can edit", () => {
  const snapshot = policySnapshot(v2(OPEN, { ...OPEN, rules: RULES }), 41);
  assert.equal(snapshot.epoch, 41);
  assert.ok(Object.isFrozen(snapshot));
  assert.ok(Object.isFrozen(snapshot.endpoints));
  for (const policy of Object.values(snapshot.endpoints)) assert.ok(Object.isFrozen(policy));
});
