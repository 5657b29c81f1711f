import assert from "node:assert/strict";
import {
  ControlObserver,
  DecisionFeed,
  RequestMetrics,
  RequestTrace,
} from "../../../../src/agent/control/mod.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { makeDenial, makeEntry } from "../audit/entries.ts";

Deno.test("RequestMetrics.count() counts by endpoint, mode, verdict and reason", () => {
  const metrics = new RequestMetrics();
  metrics.count(makeEntry(), null);
  metrics.count(makeEntry(), null);
  metrics.count(makeDenial({ endpoint: "wireserver" }), null);
  metrics.count(
    makeEntry({
      caller: null,
      decision: "error",
      reason: "too-many-connections",
      mode: null,
      endpoint: null,
    }),
    null,
  );
  metrics.count(makeEntry({ endpoint: "hostga", mode: "audit", decision: "flag" }), null);
  assert.deepEqual([...metrics.counts()], [
    {
      endpoint: "none",
      mode: "none",
      verdict: "error",
      reason: "too-many-connections",
      count: 1,
    },
    { endpoint: "wireserver", mode: "enforce", verdict: "deny", reason: "not-elevated", count: 1 },
    { endpoint: "imds", mode: "enforce", verdict: "allow", reason: "none", count: 2 },
    { endpoint: "hostga", mode: "audit", verdict: "flag", reason: "none", count: 1 },
  ]);
  assert.equal(metrics.durations.whole.count, 5);
  assert.equal(metrics.durations.host.count, 0);
});

Deno.test("RequestMetrics.count() times the stages that were reached", () => {
  const metrics = new RequestMetrics();
  const { attribute, decide, sign, host, whole } = metrics.durations;
  const times = { received: 100, attributed: 101, decided: 103, complete: NaN, endorsed: 107 };
  metrics.count(makeEntry({ elapsedMs: 20 }), times);
  assert.deepEqual(
    [attribute, decide, sign, host, whole].map((each) => each.sumS * 1000),
    [1, 2, 4, 13, 20],
  );
  metrics.count(makeDenial({ elapsedMs: 5 }), { ...times, endorsed: NaN });
  assert.deepEqual([attribute.count, decide.count, sign.count, host.count], [2, 2, 1, 1]);
});

Deno.test("RequestMetrics.count() leaves the wait for a body out of the signing", () => {
  const metrics = new RequestMetrics();
  metrics.count(makeEntry({ elapsedMs: 1_000 }), {
    received: 0,
    attributed: 1,
    decided: 2,
    complete: 900,
    endorsed: 901,
  });
  assert.equal(metrics.durations.sign.sumS, 0.001);
});

Deno.test("ControlObserver.observe() counts each request, and feeds only those who watch", async () => {
  const metrics = new RequestMetrics();
  const feed = new DecisionFeed((text) => text);
  const silent = new RequestTrace(new MemoryLogger(), (text) => text);
  const observer = new ControlObserver(metrics, feed, silent, new FakeClock());
  observer.observe(makeEntry({ requestId: 1 }), null);
  const reader = feed.read()!.getReader();
  observer.observe(makeEntry({ requestId: 2 }), null);
  assert.equal(metrics.durations.whole.count, 2);
  await reader.read();
  const { value } = await reader.read();
  assert.equal(JSON.parse(new TextDecoder().decode(value)).id, 2);
  await reader.cancel();
});
