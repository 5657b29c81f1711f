import assert from "node:assert/strict";
import {
  buildPolicy,
  firstPolicy,
  initialPolicy,
  installPolicy,
  type PolicyContent,
} from "../../../../src/domain/policy/mod.ts";
import { parseKeyStatus } from "../../../../src/domain/wire/mod.ts";

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

function built(document: Record<string, unknown>): PolicyContent {
  const status = parseKeyStatus(JSON.stringify(document));
  assert.ok(status.ok, JSON.stringify(status));
  return buildPolicy(status.value);
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

Deno.test("buildPolicy() maps items without rules to built-in policies of their mode", () => {
  assert.deepEqual(v2(OPEN, { ...OPEN, mode: "audit" }).endpoints, {
    wireserver: { kind: "built-in", mode: "enforce" },
    imds: { kind: "built-in", mode: "audit" },
    hostga: { kind: "built-in", mode: "enforce" },
  });
  assert.deepEqual(v2(null, OPEN).endpoints.wireserver, { kind: "built-in", mode: "disabled" });
});

Deno.test("buildPolicy() closes an endpoint with custom rules, and HostGAPlugin with WireServer", () => {
  const { endpoints } = v2({ ...OPEN, rules: RULES }, { ...OPEN, mode: "audit", rules: RULES });
  assert.equal(endpoints.wireserver.kind, "closed");
  assert.equal(endpoints.hostga.kind, "closed");
  assert.equal(endpoints.imds.kind, "closed");
  assert.equal(endpoints.imds.mode, "audit");
  assert.match(JSON.stringify(endpoints.imds), /custom rules/);
});

Deno.test("buildPolicy() closes for a privilege even when other lists are missing", () => {
  const rules = { privileges: RULES.privileges };
  assert.equal(v2({ ...OPEN, rules }, null).endpoints.wireserver.kind, "closed");
});

Deno.test("buildPolicy() needs no engine where no rule can match", () => {
  for (const rules of [{}, { ...RULES, privileges: [] }, { ...RULES, privileges: null }]) {
    assert.equal(v2({ ...OPEN, rules }, null).endpoints.wireserver.kind, "built-in");
  }
});

Deno.test("buildPolicy() closes an endpoint whose default is to deny", () => {
  const { endpoints } = v2(OPEN, { ...OPEN, defaultAccess: "deny" });
  assert.equal(endpoints.imds.kind, "closed");
  assert.match(JSON.stringify(endpoints.imds), /deny everything by default/);
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

Deno.test("installPolicy() keeps the snapshot for the same content and counts up for another", () => {
  const first = firstPolicy(built(V1), 41);
  assert.equal(first.epoch, 41);
  assert.equal(installPolicy(first, built(V1)), first);
  const second = installPolicy(first, v2(OPEN, null));
  assert.equal(second.epoch, 42);
  assert.notEqual(second.digest, first.digest);
  assert.equal(installPolicy(second, built(V1)).epoch, 43);
});

Deno.test("installPolicy() returns a snapshot that nobody can edit", () => {
  const snapshot = firstPolicy(v2(OPEN, { ...OPEN, rules: RULES }), 1);
  assert.ok(Object.isFrozen(snapshot));
  assert.ok(Object.isFrozen(snapshot.endpoints));
  for (const policy of Object.values(snapshot.endpoints)) assert.ok(Object.isFrozen(policy));
});
