import assert from "node:assert/strict";

/** A metric as a strict reader of the text format sees it. */
export interface ReadMetric {
  readonly type: string;
  /** Sample names with their labels, as they stand, and their values. */
  readonly samples: ReadonlyMap<string, number>;
  readonly labels: ReadonlySet<string>;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"`;
const SAMPLE = new RegExp(
  `^(${NAME})(?:\\{(${LABEL}(?:,${LABEL})*)\\})? (-?[0-9.]+(?:e[+-]\\d+)?)$`,
);

/**
 * Reads text in Prometheus's format 0.0.4 as strictly as it may be read, and by the rules for good names: help and type before
 * the samples, no name and no sample twice, counters that end with `_total` and no other metric that does, buckets that do not
 * fall, end with `+Inf` and agree with the count.
 */
export function readExposition(text: string): ReadonlyMap<string, ReadMetric> {
  assert.ok(text.endsWith("\n") && !text.includes("\r"));
  const metrics = new Map<string, ReadMetric>();
  let name = "";
  let open: { type: string; samples: Map<string, number>; labels: Set<string> } | null = null;
  for (const line of text.slice(0, -1).split("\n")) {
    const help = new RegExp(`^# HELP (${NAME}) (?:[^\\\\]|\\\\[\\\\n])+$`).exec(line);
    const type = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`).exec(line);
    if (help !== null) {
      name = help[1]!;
      assert.ok(!metrics.has(name), `${name} stands twice`);
      open = null;
    } else if (type !== null) {
      assert.equal(type[1], name, "the type follows the help");
      open = { type: type[2]!, samples: new Map(), labels: new Set() };
      metrics.set(name, open);
      assert.equal(name.endsWith("_total"), open.type === "counter", name);
    } else {
      const [, sample = "", labels = "", value = ""] = SAMPLE.exec(line) ?? assert.fail(line);
      assert.ok(open !== null, line);
      const suffix = sample.slice(name.length);
      const allowed = open.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      assert.ok(sample.startsWith(name) && allowed.includes(suffix), line);
      const key = `${sample}{${labels}}`;
      assert.ok(!open.samples.has(key), `${key} stands twice`);
      assert.ok(open.type !== "counter" || Number(value) >= 0, line);
      open.samples.set(key, Number(value));
      for (const label of labels.match(new RegExp(LABEL, "g")) ?? []) open.labels.add(label);
    }
  }
  for (const [name, metric] of metrics) {
    assert.ok(metric.samples.size > 0, `${name} has no sample`);
    if (metric.type === "histogram") checkBuckets(name, metric);
  }
  return metrics;
}

function checkBuckets(name: string, { samples }: ReadMetric): void {
  const below = new Map<string, { bound: number; count: number }>();
  for (const [key, count] of samples) {
    const [, rest = "", le = ""] = /^\w+_bucket\{(.*?),?le="([^"]+)"\}$/.exec(key) ?? [];
    if (le === "") continue;
    const bound = le === "+Inf" ? Infinity : Number(le);
    const before = below.get(rest) ?? { bound: -Infinity, count: 0 };
    assert.ok(bound > before.bound && count >= before.count, key);
    below.set(rest, { bound, count });
  }
  assert.ok(below.size > 0, `${name} has no bucket`);
  for (const [labels, { bound, count }] of below) {
    assert.equal(bound, Infinity, `${name}{${labels}} has no +Inf`);
    assert.equal(samples.get(`${name}_count{${labels}}`), count);
    assert.ok(samples.has(`${name}_sum{${labels}}`));
  }
}
