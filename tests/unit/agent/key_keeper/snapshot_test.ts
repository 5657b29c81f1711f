import assert from "node:assert/strict";
import { initialSnapshot, mayGoUnsigned } from "../../../../src/agent/key_keeper/mod.ts";
import type { Mode, PolicySnapshot } from "../../../../src/domain/policy/mod.ts";

function policy(mode: Mode): PolicySnapshot {
  const endpoint = { kind: "built-in", mode } as const;
  return {
    epoch: 1,
    digest: "d",
    matching: "shadow",
    endpoints: { wireserver: endpoint, hostga: endpoint, imds: endpoint },
  };
}

Deno.test("initialSnapshot() knows nothing and enforces", () => {
  const snapshot = initialSnapshot();
  assert.equal(snapshot.channel, "Unknown");
  assert.equal(snapshot.key, null);
  assert.equal(snapshot.targets, null);
  assert.equal(snapshot.policy.epoch, 0);
  assert.equal(snapshot.policy.endpoints.imds.mode, "enforce");
  assert.equal(snapshot.policy.matching, "shadow");
  assert.ok(Object.isFrozen(snapshot));
  const later = initialSnapshot(42, "enforce").policy;
  assert.deepEqual([later.epoch, later.matching], [42, "enforce"]);
});

Deno.test("mayGoUnsigned() refuses while the host was not heard, whatever the mode", () => {
  assert.equal(mayGoUnsigned(initialSnapshot(), "imds"), false);
  assert.equal(mayGoUnsigned({ ...initialSnapshot(), policy: policy("audit") }, "imds"), false);
});

Deno.test("mayGoUnsigned() lets audited and disabled endpoints through, never an enforced one", () => {
  const heard = (mode: Mode) => ({
    ...initialSnapshot(),
    channel: "wireserver",
    policy: policy(mode),
  });
  assert.equal(mayGoUnsigned(heard("enforce"), "wireserver"), false);
  assert.equal(mayGoUnsigned(heard("audit"), "wireserver"), true);
  assert.equal(mayGoUnsigned(heard("disabled"), "wireserver"), true);
});
