import assert from "node:assert/strict";
import {
  canonicalJson,
  type KeyStatus,
  keyStatusDocument,
  parseKeyStatus,
} from "../../../../src/domain/wire/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Validation {
  readonly document: string;
  readonly code: string | null;
  readonly path: string | null;
}

for (
  const vector of readVectors<Validation>("status/validation.json", ["document", "code", "path"])
) {
  Deno.test(`parseKeyStatus() ${vector.code === null ? "accepts" : "refuses"} ${vector.id}`, () => {
    const parsed = parseKeyStatus(vector.document);
    if (vector.code === null) {
      assert.ok(parsed.ok, JSON.stringify(parsed));
      return;
    }
    assert.ok(!parsed.ok, vector.why);
    assert.equal(parsed.error.code, vector.code);
    if (vector.path !== null) assert.equal(parsed.error.path, vector.path);
    assert.ok(parsed.error.message.includes(parsed.error.path));
  });
}

function parsed(document: unknown): KeyStatus {
  const result = parseKeyStatus(JSON.stringify(document));
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

Deno.test("parseKeyStatus() returns every member", () => {
  const status = parsed({
    authorizationScheme: "Azure-HMAC-SHA256",
    keyDeliveryMethod: "http",
    version: "1.0",
    keyGuid: "g",
    keyIncarnationId: 2,
    requiredClaimsHeaderPairs: ["isRoot"],
    secureChannelState: "Wireserver",
  });
  assert.deepEqual(status, {
    authorizationScheme: "Azure-HMAC-SHA256",
    keyDeliveryMethod: "http",
    version: "1.0",
    keyGuid: "g",
    keyIncarnationId: 2,
    requiredClaimsHeaderPairs: ["isRoot"],
    secureChannelState: "Wireserver",
    secureChannelEnabled: null,
    authorizationRules: null,
  });
});

Deno.test("parseKeyStatus() types the rules and keeps the item as received", () => {
  const item = {
    defaultAccess: "Allow",
    mode: "Audit",
    id: "r1",
    zzz: [1],
    rules: {
      privileges: [{ name: "p", path: "/x", queryParameters: { a: "1" } }, {
        name: "q",
        path: "/",
      }],
      roles: [{ name: "r", privileges: ["p"] }],
      identities: [{ name: "i", userName: "u", groupName: "g", exePath: "/e", processName: null }],
      roleAssignments: [{ role: "r", identities: ["i"] }],
    },
  };
  const status = parsed({
    authorizationScheme: "s",
    keyDeliveryMethod: "http",
    version: "2.0",
    secureChannelEnabled: true,
    authorizationRules: { imds: item, hostga: { defaultAccess: "x", mode: "y", id: "" } },
  });
  const imds = status.authorizationRules?.imds;
  assert.ok(imds);
  assert.equal(imds.defaultAccess, "allow");
  assert.equal(imds.mode, "audit");
  assert.equal(imds.id, "r1");
  assert.deepEqual(imds.source.get("zzz"), [1]);
  assert.deepEqual(imds.rules, {
    privileges: [
      { name: "p", path: "/x", queryParameters: new Map([["a", "1"]]) },
      { name: "q", path: "/", queryParameters: null },
    ],
    roles: [{ name: "r", privileges: ["p"] }],
    identities: [{ name: "i", userName: "u", groupName: "g", exePath: "/e", processName: null }],
    roleAssignments: [{ role: "r", identities: ["i"] }],
  });
  assert.equal(status.authorizationRules?.wireserver, null);
});

Deno.test("keyStatusDocument() reads back to the same, whatever the document had", () => {
  const item = {
    defaultAccess: "deny",
    mode: "Enforce",
    id: "a",
    later: [1, { x: null }],
    rules: { privileges: [{ name: "p", path: "/a", queryParameters: { __proto__x: "1" } }] },
  };
  const base = { authorizationScheme: "Azure-HMAC-SHA256", keyDeliveryMethod: "http" };
  const documents = [
    { ...base, version: "1.0", secureChannelState: "Wireserver", keyGuid: "" },
    { ...base, version: "2.0", secureChannelEnabled: true, keyIncarnationId: 3 },
    {
      ...base,
      version: "2.0",
      secureChannelEnabled: true,
      requiredClaimsHeaderPairs: ["isRoot"],
      authorizationRules: { imds: item, wireserver: null, hostga: { ...item, mode: "?" } },
    },
  ];
  for (const document of documents) {
    const first = parseKeyStatus(JSON.stringify(document));
    assert.ok(first.ok, JSON.stringify(first));
    const second = parseKeyStatus(canonicalJson(keyStatusDocument(first.value)));
    assert.deepEqual(second, first);
  }
});
