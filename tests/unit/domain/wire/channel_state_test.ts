import assert from "node:assert/strict";
import {
  channelState,
  endpointModes,
  isLatchedState,
  type KeyStatus,
  parseKeyStatus,
  ruleIds,
  summaryText,
} from "../../../../src/domain/wire/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Modes {
  readonly document: unknown;
  readonly state: string;
  readonly wireserver: string;
  readonly imds: string;
}

function parsed(document: unknown): KeyStatus {
  const result = parseKeyStatus(JSON.stringify(document));
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

for (
  const vector of readVectors<Modes>("status/modes.json", [
    "document",
    "state",
    "wireserver",
    "imds",
  ])
) {
  Deno.test(`channelState() and endpointModes() derive ${vector.id}`, () => {
    const status = parsed(vector.document);
    assert.equal(channelState(status), vector.state);
    assert.deepEqual(endpointModes(status), {
      wireserver: vector.wireserver,
      imds: vector.imds,
      hostga: vector.wireserver,
    });
  });
}

const MIXED = {
  authorizationScheme: "Azure-HMAC-SHA256",
  keyDeliveryMethod: "http",
  version: "2.0",
  keyGuid: "5b1c7e2a-9d40-4c58-8f0e-3a6d2f917c44",
  secureChannelEnabled: true,
  authorizationRules: {
    wireserver: { defaultAccess: "allow", mode: "enforce", id: "ws" },
    imds: { defaultAccess: "allow", mode: "Audit", id: "im" },
  },
};

Deno.test("summaryText() names everything that is worth an event", () => {
  assert.equal(
    summaryText(parsed(MIXED)),
    "authorizationScheme: Azure-HMAC-SHA256, keyDeliveryMethod: http, " +
      "keyGuid: 5b1c7e2a-9d40-4c58-8f0e-3a6d2f917c44, " +
      "secureChannelState: WireServer Enforce -  IMDS Audit - HostGA Enforce, version: 2.0, " +
      "WireServerMode: enforce, IMDSMode: audit",
  );
  assert.match(summaryText(parsed({ ...MIXED, keyGuid: null })), /keyGuid: None,/);
});

Deno.test("ruleIds() returns raw ids and empty texts for absent items", () => {
  assert.deepEqual(ruleIds(parsed(MIXED)), { wireserver: "ws", imds: "im" });
  assert.deepEqual(ruleIds(parsed({ ...MIXED, authorizationRules: null })), {
    wireserver: "",
    imds: "",
  });
});

Deno.test("isLatchedState() is false for disabled and Unknown only", () => {
  assert.equal(isLatchedState("disabled"), false);
  assert.equal(isLatchedState("Unknown"), false);
  assert.equal(isLatchedState("wireserver"), true);
  assert.equal(isLatchedState("WireServer Disabled -  IMDS Disabled - HostGA Disabled"), true);
});
