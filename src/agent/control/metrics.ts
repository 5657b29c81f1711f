import { ENDPOINT_NAMES } from "../../domain/wire/mod.ts";
import type { RedirectorReport } from "../redirector/mod.ts";
import type { Histogram } from "./histogram.ts";
import { STAGES } from "./request_metrics.ts";
import type { Sources } from "./sources.ts";

export type Labels = Readonly<Record<string, string>>;

/** One number with its labels. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** A metric with all its samples. Names are without the prefix of the program. */
export type Metric =
  & { readonly name: string; readonly help: string }
  & (
    | { readonly type: "counter" | "gauge"; readonly samples: readonly Sample[] }
    | {
      readonly type: "histogram";
      readonly series: readonly { readonly labels: Labels; readonly histogram: Histogram }[];
    }
  );

/** What stands before each name. */
export const PREFIX = "azure_proxy_agent_";

/** Every metric, of this moment. Labels are words of closed lists: what a caller sends is in none. */
export function metrics(sources: Sources): Metric[] {
  const report = sources.redirector.inspect();
  return [
    ...requestMetrics(sources),
    ...connectionMetrics(sources),
    ...kernelMetrics(report),
    ...keyMetrics(sources),
    ...queueMetrics(sources),
    ...processMetrics(sources),
  ];
}

function requestMetrics({ requests }: Sources): Metric[] {
  const counts = [...requests.counts()].map(({ count, ...labels }) => ({ labels, value: count }));
  return [
    { name: "requests_total", help: "Requests answered.", type: "counter", samples: counts },
    {
      name: "request_duration_seconds",
      help: "Time per stage: whole for every request, the others for one of 16.",
      type: "histogram",
      series: STAGES.map((stage) => ({
        labels: { stage },
        histogram: requests.durations[stage],
      })),
    },
  ];
}

function connectionMetrics({ proxy, upstream, endpoints }: Sources): Metric[] {
  const cut = Object.entries(proxy.cut).map(([reason, value]) => ({ labels: { reason }, value }));
  const pools = upstream.report().flatMap((pool) => {
    const { address, port } = pool.destination;
    const endpoint = ENDPOINT_NAMES.find((name) =>
      endpoints[name].address === address && endpoints[name].port === port
    );
    return endpoint === undefined ? [] : [{ endpoint, pool }];
  });
  const waiting = pools.map(({ endpoint, pool }) => ({
    labels: { endpoint },
    value: pool.waiting,
  }));
  const pooled = pools.flatMap(({ endpoint, pool }) => [
    { labels: { endpoint, state: "live" }, value: pool.live },
    { labels: { endpoint, state: "idle" }, value: pool.idle },
  ]);
  return [
    gauge("connections", "Open connections of callers.", proxy.connectionCount),
    counters("connections_cut_total", "Connections cut by a time limit.", cut),
    gauges("upstream_connections", "Connections to the host; idle ones are live too.", pooled),
    gauges("upstream_waiting", "Requests that wait for a connection.", waiting),
  ];
}

function kernelMetrics({ attached, records, counters: events }: RedirectorReport): Metric[] {
  const samples = Object.entries(events).map(([event, value]) => ({ labels: { event }, value }));
  return [
    gauge("redirector_attached", "Whether every kernel program is attached.", attached ? 1 : 0),
    gauge("kernel_records", "Connections that the kernel programs know.", records.live),
    gauge("kernel_records_capacity", "How many fit.", records.capacity),
    counters("kernel_events_total", "What the kernel programs counted.", samples),
  ];
}

function keyMetrics({ keeper, keyAge, snapshot, clock, hostClock }: Sources): Metric[] {
  const polls = [...keeper.pollResults].map(([result, value]) => ({ labels: { result }, value }));
  const { ageMs } = keyAge;
  const polledMs = keeper.lastPollWallMs;
  return [
    gauge("key_held", "Whether a key is held.", ageMs === null ? 0 : 1),
    gaugeOrNone("key_age_seconds", "How long this key has been held.", ageMs),
    counters("polls_total", "Polls of the host by outcome.", polls),
    gaugeOrNone(
      "poll_age_seconds",
      "Time since the host last answered a poll.",
      polledMs === null ? null : Math.max(0, clock.wallMs() - polledMs),
    ),
    gaugeOrNone(
      "host_clock_ahead_seconds",
      "How far the host's clock is ahead of this machine's.",
      hostClock.skewMs(),
    ),
    gauge("policy_epoch", "Number of the policy in use.", snapshot.get().policy.epoch),
  ];
}

function queueMetrics({ queues, feed }: Sources): Metric[] {
  const reports = [
    ...queues(),
    { queue: "decisions", waiting: feed.waiting, dropped: 0 },
  ];
  return [
    gauges(
      "queue_depth",
      "What waits in a queue.",
      reports.map(({ queue, waiting }) => ({ labels: { queue }, value: waiting })),
    ),
    counters(
      "queue_dropped_total",
      "What a full queue or a broken disk has cost.",
      reports.map(({ queue, dropped }) => ({ labels: { queue }, value: dropped })),
    ),
    gauge("decision_readers", "Readers of live decisions.", feed.readers),
    counter("decision_readers_dropped_total", "Readers dropped as too slow.", feed.dropped),
  ];
}

function processMetrics({ health, restarts, memory, startedWallMs }: Sources): Metric[] {
  const again = restarts();
  const parts = [...health.all()];
  const { rss, heapUsed, external } = memory();
  return [
    gauges(
      "part_running",
      "Whether a part of the program runs.",
      parts.map(([part, { state }]) => ({ labels: { part }, value: state === "RUNNING" ? 1 : 0 })),
    ),
    counters(
      "part_restarts_total",
      "How often a part was started again.",
      parts.map(([part]) => ({ labels: { part }, value: again.get(part) ?? 0 })),
    ),
    gauge("resident_memory_bytes", "Memory of the process in RAM.", rss),
    gauge("heap_used_bytes", "Memory in use by objects.", heapUsed),
    gauge("external_memory_bytes", "Memory of buffers outside the heap.", external),
    gauge("start_time_seconds", "When the process started, Unix time.", startedWallMs / 1000),
  ];
}

function counter(name: string, help: string, value: number): Metric {
  return counters(name, help, [{ labels: {}, value }]);
}

function counters(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, help, type: "counter", samples };
}

function gauge(name: string, help: string, value: number): Metric {
  return gauges(name, help, [{ labels: {}, value }]);
}

/** Without a sample where there is nothing to tell. Seconds of milliseconds. */
function gaugeOrNone(name: string, help: string, ms: number | null): Metric {
  return gauges(name, help, ms === null ? [] : [{ labels: {}, value: ms / 1000 }]);
}

function gauges(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, help, type: "gauge", samples };
}
