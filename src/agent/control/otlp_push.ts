import type { Clock } from "../../runtime/clock.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import { metrics } from "./metrics.ts";
import { otlpDocument } from "./otlp.ts";
import type { Sources } from "./sources.ts";

/** A collector that takes longer has lost this export; the next one says the same and more. */
const PUSH_LIMIT_MS = 10_000;

export interface OtlpOptions {
  readonly clock: Clock;
  /** Whole address of the collector's metrics, such as `http://127.0.0.1:4318/v1/metrics`. */
  readonly url: string;
  readonly intervalMs: number;
  readonly sources: Sources;
  /** `fetch` unless a test says otherwise. */
  readonly send?: (url: string, init: RequestInit) => Promise<Response>;
}

/**
 * Sends all metrics to a collector, again and again. Nothing is kept for a collector that is away: the sums are from the start
 * of the process, so the next export makes good for those that were lost.
 */
export class OtlpPush implements Part {
  readonly name = "otlp";
  readonly #options: OtlpOptions;

  constructor(options: OtlpOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { clock, intervalMs } = this.#options;
    health.report("UNKNOWN", "OTLP_STARTED", "No metrics were sent yet");
    while (!signal.aborted) {
      await clock.sleep(intervalMs, signal);
      if (signal.aborted) break;
      const trouble = await this.#push(signal);
      if (signal.aborted) break;
      if (trouble === null) health.report("RUNNING", "OTLP_SENT", "Metrics are sent");
      else health.report("STOPPED", "OTLP_FAILED", `Metrics are not sent: ${trouble}`);
    }
  }

  /** Returns why it failed, or `null`. */
  async #push(signal: AbortSignal): Promise<string | null> {
    const { clock, sources, url, send = fetch } = this.#options;
    const { startedWallMs, version } = sources;
    const context = { startedWallMs, version, wallMs: clock.wallMs() };
    const end = new AbortController();
    clock.sleep(PUSH_LIMIT_MS, AbortSignal.any([signal, end.signal])).then(() => end.abort());
    try {
      const answer = await send(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(otlpDocument(metrics(sources), context)),
        redirect: "error",
        signal: end.signal,
      });
      await answer.body?.cancel();
      return answer.ok ? null : `the collector answered ${answer.status}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      end.abort();
    }
  }
}
