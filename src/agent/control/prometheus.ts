import { BUCKET_BOUNDS_S, type Histogram } from "./histogram.ts";
import { type Labels, type Metric, PREFIX } from "./metrics.ts";

/** Media type of the text format. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The metrics in Prometheus's text format, version 0.0.4. Metrics without a sample are left out. */
export function prometheusText(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const metric of metrics) {
    const name = PREFIX + metric.name;
    const body: string[] = [];
    if (metric.type === "histogram") {
      for (const { labels, histogram } of metric.series) {
        body.push(...histogramLines(name, labels, histogram));
      }
    } else {
      for (const { labels, value } of metric.samples) {
        body.push(`${name}${labelText(labels)} ${value}`);
      }
    }
    if (body.length === 0) continue;
    lines.push(`# HELP ${name} ${metric.help}`, `# TYPE ${name} ${metric.type}`, ...body);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function histogramLines(name: string, labels: Labels, histogram: Histogram): string[] {
  let below = 0;
  const lines = BUCKET_BOUNDS_S.map((bound, index) => {
    below += histogram.counts[index]!;
    return `${name}_bucket${labelText({ ...labels, le: String(bound) })} ${below}`;
  });
  return [
    ...lines,
    `${name}_bucket${labelText({ ...labels, le: "+Inf" })} ${histogram.count}`,
    `${name}_sum${labelText(labels)} ${histogram.sumS}`,
    `${name}_count${labelText(labels)} ${histogram.count}`,
  ];
}

/** Values are words of closed lists; a quote or a line end in one would be a mistake of ours and breaks nothing else. */
function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
