/**
 * What counting adds to each request. The budget is 300 ns.
 *
 *     deno bench -A tests/bench/control_bench.ts
 *
 * @module
 */
import {
  ControlObserver,
  DecisionFeed,
  RequestMetrics,
  RequestTrace,
} from "../../src/agent/control/mod.ts";
import { SystemClock } from "../../src/runtime/system_clock.ts";
import { MemoryLogger } from "../fakes/memory_logger.ts";
import { makeDenial, makeEntry } from "../unit/agent/audit/entries.ts";

/** Iterations of one measurement: a single one is shorter than reading the clock. */
const REQUESTS = 100_000;

const clock = new SystemClock();
const feed = new DecisionFeed((text) => text);
const trace = new RequestTrace(new MemoryLogger(), (text) => text);
const observer = new ControlObserver(new RequestMetrics(), feed, trace, clock);
const entries = [makeEntry(), makeDenial(), makeEntry({ endpoint: "wireserver", elapsedMs: 0.3 })];
const times = { received: 0, attributed: 0.1, decided: 0.2, complete: NaN, endorsed: 0.3 };

Deno.bench("counting 100,000 requests", () => {
  for (let at = 0; at < REQUESTS; at++) observer.observe(entries[at % 3]!, null);
});

Deno.bench("counting 100,000 requests, and timing the stages of 1 in 16", () => {
  for (let at = 0; at < REQUESTS; at++) {
    const isTimed = at % 16 === 1;
    for (let stage = 0; isTimed && stage < 3; stage++) clock.monotonicMs();
    observer.observe(entries[at % 3]!, isTimed ? times : null);
  }
});
