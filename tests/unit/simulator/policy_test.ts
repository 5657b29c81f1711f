import assert from "node:assert/strict";
import { DEFAULT_POLICY, hostMode, parsePolicy } from "../../../src/simulator/mod.ts";
import { parseKeyStatus } from "../../../src/domain/wire/mod.ts";

const ENDPOINTS = ["wireserver", "hostga", "imds"] as const;

function modes(document: unknown): string[] {
  const policy = parsePolicy(document);
  assert.ok(policy.ok, JSON.stringify(document));
  return ENDPOINTS.map((endpoint) => hostMode(policy.value, endpoint));
}

Deno.test("parsePolicy() takes the members of the status document and hands rules on as they are", () => {
  const document = {
    version: "2.0",
    secureChannelEnabled: true,
    secureChannelState: null,
    authorizationRules: { imds: { nonsense: [1] } },
  };
  assert.deepEqual(parsePolicy(document), { ok: true, value: document });
});

Deno.test("parsePolicy() says what is wrong", () => {
  const cases: [unknown, string][] = [
    [null, "object"],
    [[], "object"],
    ["x", "object"],
    [{}, "`version`"],
    [{ version: 2 }, "`version`"],
    [{ version: "1.0", secureChannelState: 1 }, "`secureChannelState`"],
    [{ version: "2.0", secureChannelEnabled: "yes" }, "`secureChannelEnabled`"],
    [{ version: "2.0", keyGuid: "x" }, "`keyGuid`"],
  ];
  for (const [document, word] of cases) {
    const parsed = parsePolicy(document);
    assert.ok(!parsed.ok && parsed.error.includes(word), JSON.stringify(document));
  }
});

Deno.test("hostMode() reads a version 1.0 policy", () => {
  const v1 = (secureChannelState: unknown) => modes({ version: "1.0", secureChannelState });
  assert.deepEqual(v1("WireserverAndImds"), ["enforce", "enforce", "enforce"]);
  assert.deepEqual(v1("Wireserver"), ["enforce", "enforce", "audit"]);
  assert.deepEqual(v1("Disabled"), ["disabled", "disabled", "disabled"]);
  assert.deepEqual(v1(null), ["disabled", "disabled", "disabled"]);
});

Deno.test("hostMode() reads a version 2.0 policy, HostGA after WireServer", () => {
  const v2 = (wireserver: unknown, imds: unknown, secureChannelEnabled: unknown = true) =>
    modes({ version: "2.0", secureChannelEnabled, authorizationRules: { wireserver, imds } });
  assert.deepEqual(v2({ mode: "Enforce" }, { mode: "audit" }), ["enforce", "enforce", "audit"]);
  assert.deepEqual(v2({ mode: "weird" }, null), ["disabled", "disabled", "disabled"]);
  assert.deepEqual(v2({ mode: 1 }, [1]), ["disabled", "disabled", "disabled"]);
  assert.deepEqual(v2({ mode: "enforce" }, { mode: "enforce" }, false), [
    "disabled",
    "disabled",
    "disabled",
  ]);
  assert.deepEqual(modes({ version: "2.0", secureChannelEnabled: true }), [
    "disabled",
    "disabled",
    "disabled",
  ]);
});

Deno.test("DEFAULT_POLICY enforces everything and is one that an agent accepts", () => {
  assert.deepEqual(modes(DEFAULT_POLICY), ["enforce", "enforce", "enforce"]);
  const document = {
    authorizationScheme: "Azure-HMAC-SHA256",
    keyDeliveryMethod: "http",
    ...DEFAULT_POLICY,
  };
  assert.ok(parseKeyStatus(JSON.stringify(document)).ok);
});
