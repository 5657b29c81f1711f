import {
  DecisionFeed,
  KeyAge,
  RequestMetrics,
  type Sources,
} from "../../../../src/agent/control/mod.ts";
import { type AgentSnapshot, initialSnapshot } from "../../../../src/agent/key_keeper/mod.ts";
import { FakeRedirector } from "../../../../src/agent/redirector/fake_redirector.ts";
import type { PartHealth } from "../../../../src/agent/status/mod.ts";
import { ENDPOINTS } from "../../../../src/domain/wire/mod.ts";
import { Cell } from "../../../../src/runtime/cell.ts";
import { unpaced } from "../../../../src/runtime/slices.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { sampleKey } from "../../../fakes/sample_request.ts";
import { makeCaller, makeRecord } from "../audit/entries.ts";

/** Sources of which a test knows every number. */
export function stand(overrides: Partial<Sources> = {}) {
  const clock = new FakeClock();
  const cell = new Cell<AgentSnapshot>({ ...initialSnapshot(12), key: sampleKey() });
  const redirector = new FakeRedirector();
  const stop = new AbortController();
  const health = new Map<string, PartHealth>([
    ["key_keeper", { state: "RUNNING", code: "KEY", message: "good", sinceMs: 1 }],
    ["redirector", { state: "STOPPED", code: "BPF_LOAD", message: "bad", sinceMs: 2 }],
  ]);
  const sources: Sources = {
    clock,
    version: "1.2.3",
    startedWallMs: clock.wallMs() - 60_000,
    endpoints: ENDPOINTS,
    requests: new RequestMetrics(),
    feed: new DecisionFeed((text) => text),
    keyAge: new KeyAge(cell, clock, { storedWallMs: () => Promise.resolve(null) }, stop.signal),
    hostClock: { skewMs: () => -1_500 },
    status: { document: () => `{"proxyAgentStatus":{"version":"1.2.3"}}` },
    health: { all: () => health },
    snapshot: cell,
    rules: () => null,
    pace: unpaced,
    keeper: {
      pollResults: new Map([["ok", 3], ["HOST_CONNECT", 1]]),
      lastPollWallMs: clock.wallMs() - 5_000,
    },
    redirector,
    resolver: {
      resolve: (record) => ({ caller: { ...makeCaller(), record }, check: () => "same" }),
    },
    proxy: {
      connectionsOf: (pid) => pid === 4242 ? [makeRecord()] : [],
      connectionCount: 4,
      cut: { "head-not-complete": 1, idle: 2, "answer-not-taken": 0 },
      requestCount: 9,
    },
    upstream: {
      report: () => [
        { destination: ENDPOINTS.imds, live: 3, idle: 2, waiting: 1 },
        { destination: { address: "10.0.0.1", port: 1 }, live: 9, idle: 9, waiting: 9 },
      ],
    },
    queues: () => [{ queue: "audit", waiting: 2, dropped: 7 }],
    restarts: () => new Map([["redirector", 5]]),
    memory: () => ({ rss: 60e6, heapUsed: 10e6, external: 1e6 }),
    executable: { path: "/usr/sbin/azure-proxy-agent", openPath: "/nowhere" },
    isCompiled: true,
    ...overrides,
  };
  return { sources, clock, cell, redirector, stop };
}
