import assert from "node:assert/strict";
import { FakeRedirector } from "../../../../src/agent/redirector/fake_redirector.ts";
import { sampleRecord } from "../../../fakes/sample_request.ts";

const PEER = { address: "127.0.0.1", port: 40_000 };

Deno.test("FakeRedirector attribute() says what it was told, peer by peer", () => {
  const redirector = new FakeRedirector();
  assert.deepEqual(redirector.attribute(PEER), { kind: "unattributed" });
  redirector.redirect(PEER, sampleRecord({ source: { address: "1.2.3.4", port: 1 } }));
  const attribution = redirector.attribute({ ...PEER });
  assert.ok(attribution.kind === "redirected");
  assert.deepEqual(attribution.record.source, PEER);
  redirector.knowEveryone({ kind: "direct", uid: 5 });
  assert.equal(redirector.attribute(PEER).kind, "redirected");
  assert.deepEqual(redirector.attribute({ ...PEER, port: 1 }), { kind: "direct", uid: 5 });
  redirector.forget(PEER);
  assert.deepEqual(redirector.attribute(PEER), { kind: "direct", uid: 5 });
});

Deno.test("FakeRedirector attaches, beats, keeps targets and detaches", async () => {
  const redirector = new FakeRedirector();
  assert.deepEqual([redirector.inspect().attached, redirector.inspect().variant], [false, null]);
  await redirector.attach(new AbortController().signal);
  redirector.setTargets({ imds: "enforce" });
  redirector.setConnectionLimits({ user: 3, root: 4 });
  assert.deepEqual(redirector.limits, { user: 3, root: 4 });
  redirector.beat();
  redirector.know(PEER, { kind: "unattributed" });
  const report = redirector.inspect();
  assert.deepEqual([report.attached, report.variant, report.records.live], [true, "full", 1]);
  assert.deepEqual([redirector.targets, redirector.beats], [{ imds: "enforce" }, 1]);
  await redirector[Symbol.asyncDispose]();
  assert.deepEqual([redirector.inspect().attached, redirector.targets], [false, null]);
});
