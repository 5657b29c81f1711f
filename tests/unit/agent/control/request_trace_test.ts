import assert from "node:assert/strict";
import {
  ControlObserver,
  DecisionFeed,
  RequestMetrics,
  RequestTrace,
} from "../../../../src/agent/control/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { makeDenial, makeEntry } from "../audit/entries.ts";

function stand() {
  const logger = new MemoryLogger();
  const trace = new RequestTrace(logger.child("proxy"), (text) => text.replace("hush", "-"));
  const feed = new DecisionFeed((text) => text);
  return {
    logger,
    trace,
    observer: new ControlObserver(new RequestMetrics(), feed, trace, new FakeClock()),
  };
}

Deno.test("RequestTrace.tell() warns of a request with what is known of it and the stages it reached", () => {
  const { logger, trace, observer } = stand();
  trace.isOn = true;
  const times = { received: 10, attributed: 10.1, decided: 10.25, complete: NaN, endorsed: NaN };
  observer.observe(makeDenial({ target: "/x?sig=hush", detail: "no" }), times);
  const [line] = logger.lines;
  assert.deepEqual([line?.level, line?.part, line?.text], ["warn", "proxy", "request"]);
  assert.deepEqual(line?.fields, {
    id: 1,
    endpoint: "imds",
    method: "GET",
    target: "/x?sig=-",
    verdict: "deny",
    reason: "not-elevated",
    detail: "no",
    mode: "enforce",
    status: 403,
    signed: false,
    elapsedUs: 1235,
    policyEpoch: 7,
    uid: 1000,
    user: "azureuser",
    pid: 4242,
    exe: "/usr/bin/curl",
    exeVerified: true,
    attributedUs: 100,
    decidedUs: 250,
  });
});

Deno.test("RequestTrace is silent unless it is on, and only then all requests are timed", () => {
  const { logger, trace, observer } = stand();
  observer.observe(makeEntry(), null);
  assert.deepEqual([logger.lines.length, observer.timesAll], [0, false]);
  trace.isOn = true;
  observer.observe(makeEntry(), null);
  assert.deepEqual([logger.lines.length, observer.timesAll], [1, true]);
});
