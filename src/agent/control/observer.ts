import type { Clock } from "../../runtime/clock.ts";
import type { AuditEntry } from "../audit/mod.ts";
import type { ExchangeObserver, StageTimes } from "../proxy/mod.ts";
import type { DecisionFeed } from "./decision_feed.ts";
import type { RequestMetrics } from "./request_metrics.ts";
import type { RequestTrace } from "./request_trace.ts";

/** Hears of every request: counts it, and tells those who watch or want it in the log. */
export class ControlObserver implements ExchangeObserver {
  readonly #metrics: RequestMetrics;
  readonly #feed: DecisionFeed;
  readonly #trace: RequestTrace;
  readonly #clock: Clock;

  constructor(metrics: RequestMetrics, feed: DecisionFeed, trace: RequestTrace, clock: Clock) {
    this.#metrics = metrics;
    this.#feed = feed;
    this.#trace = trace;
    this.#clock = clock;
  }

  get timesAll(): boolean {
    return this.#trace.isOn;
  }

  observe(entry: AuditEntry, times: StageTimes | null): void {
    this.#metrics.count(entry, times);
    if (this.#trace.isOn) this.#trace.tell(entry, times, this.#clock.wallMs());
    if (this.#feed.readers > 0) this.#feed.push(entry, this.#clock.wallMs());
  }
}
