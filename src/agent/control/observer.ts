import type { Clock } from "../../runtime/clock.ts";
import type { AuditEntry } from "../audit/mod.ts";
import type { ExchangeObserver, StageTimes } from "../proxy/mod.ts";
import type { DecisionFeed } from "./decision_feed.ts";
import type { RequestMetrics } from "./request_metrics.ts";

/** Hears of every request: counts it, and tells those who watch. */
export class ControlObserver implements ExchangeObserver {
  readonly #metrics: RequestMetrics;
  readonly #feed: DecisionFeed;
  readonly #clock: Clock;

  constructor(metrics: RequestMetrics, feed: DecisionFeed, clock: Clock) {
    this.#metrics = metrics;
    this.#feed = feed;
    this.#clock = clock;
  }

  observe(entry: AuditEntry, times: StageTimes | null): void {
    this.#metrics.count(entry, times);
    if (this.#feed.readers > 0) this.#feed.push(entry, this.#clock.wallMs());
  }
}
