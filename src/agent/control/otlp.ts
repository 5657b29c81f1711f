import { BUCKET_BOUNDS_S } from "./histogram.ts";
import { type Labels, type Metric, PREFIX } from "./metrics.ts";

/** Sums count from the start of the process. Source: opentelemetry-proto, metrics.proto, AggregationTemporality. */
const CUMULATIVE = 2;

/** Who sends, and of when the numbers are. Wall milliseconds. */
export interface OtlpContext {
  readonly version: string;
  readonly startedWallMs: number;
  readonly wallMs: number;
}

/**
 * The metrics as the body of an OTLP export, in its JSON form. Metrics without a sample are left out.
 * Source: OTLP specification 1.x, OTLP/HTTP with JSON encoding; opentelemetry-proto, metrics.proto.
 */
export function otlpDocument(metrics: readonly Metric[], context: OtlpContext): object {
  const times = {
    startTimeUnixNano: nanoseconds(context.startedWallMs),
    timeUnixNano: nanoseconds(context.wallMs),
  };
  const sent = metrics.map((metric) => otlpMetric(metric, times)).filter((each) => each !== null);
  return {
    resourceMetrics: [{
      resource: {
        attributes: attributes({
          "service.name": "azure-proxy-agent",
          "service.version": context.version,
        }),
      },
      scopeMetrics: [{ scope: { name: "azure-proxy-agent" }, metrics: sent }],
    }],
  };
}

interface Times {
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
}

function otlpMetric(metric: Metric, times: Times): object | null {
  const head = { name: PREFIX + metric.name, description: metric.help };
  if (metric.type === "histogram") {
    const dataPoints = metric.series.map(({ labels, histogram }) => ({
      ...times,
      attributes: attributes(labels),
      // 64-bit whole numbers are text in this encoding.
      count: String(histogram.count),
      sum: histogram.sumS,
      bucketCounts: [...histogram.counts].map(String),
      explicitBounds: BUCKET_BOUNDS_S,
    }));
    return { ...head, unit: "s", histogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
  }
  if (metric.samples.length === 0) return null;
  const dataPoints = metric.samples.map(({ labels, value }) => ({
    ...times,
    attributes: attributes(labels),
    asDouble: value,
  }));
  return metric.type === "gauge"
    ? { ...head, gauge: { dataPoints } }
    : { ...head, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } };
}

function attributes(labels: Labels): object[] {
  return Object.entries(labels).map(([key, value]) => ({ key, value: { stringValue: value } }));
}

function nanoseconds(wallMs: number): string {
  return `${BigInt(Math.round(wallMs)) * 1_000_000n}`;
}
