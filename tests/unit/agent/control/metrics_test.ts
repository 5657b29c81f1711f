import assert from "node:assert/strict";
import { metrics, PREFIX } from "../../../../src/agent/control/metrics.ts";
import { otlpDocument } from "../../../../src/agent/control/otlp.ts";
import { prometheusText } from "../../../../src/agent/control/prometheus.ts";
import { KeyAge } from "../../../../src/agent/control/mod.ts";
import { STAGES } from "../../../../src/agent/control/request_metrics.ts";
import { makeDenial, makeEntry } from "../audit/entries.ts";
import { readExposition } from "./exposition.ts";
import { stand } from "./stand.ts";

Deno.test("prometheusText() has every metric with its labels", async () => {
  const { sources, clock, stop } = stand();
  await clock.advance(2_500);
  sources.requests.count(makeEntry({ elapsedMs: 1 }), null);
  const lines = prometheusText(metrics(sources)).split("\n");
  for (
    const line of [
      `requests_total{endpoint="imds",mode="enforce",verdict="allow",reason="none"} 1`,
      `request_duration_seconds_bucket{stage="whole",le="0.000512"} 0`,
      `request_duration_seconds_bucket{stage="whole",le="0.001024"} 1`,
      `request_duration_seconds_bucket{stage="whole",le="16.777216"} 1`,
      `request_duration_seconds_bucket{stage="whole",le="+Inf"} 1`,
      `request_duration_seconds_sum{stage="whole"} 0.001`,
      `request_duration_seconds_count{stage="host"} 0`,
      `connections 4`,
      `connections_cut_total{reason="idle"} 2`,
      `upstream_connections{endpoint="imds",state="live"} 3`,
      `upstream_connections{endpoint="imds",state="idle"} 2`,
      `upstream_waiting{endpoint="imds"} 1`,
      `redirector_attached 0`,
      `kernel_records 0`,
      `kernel_records_capacity 65536`,
      `key_held 1`,
      `key_age_seconds 2.5`,
      `polls_total{result="ok"} 3`,
      `polls_total{result="HOST_CONNECT"} 1`,
      `poll_age_seconds 7.5`,
      `host_clock_ahead_seconds -1.5`,
      `policy_epoch 12`,
      `queue_depth{queue="audit"} 2`,
      `queue_depth{queue="decisions"} 0`,
      `queue_dropped_total{queue="audit"} 7`,
      `decision_readers 0`,
      `decision_readers_dropped_total 0`,
      `part_running{part="key_keeper"} 1`,
      `part_running{part="redirector"} 0`,
      `part_restarts_total{part="redirector"} 5`,
      `part_restarts_total{part="key_keeper"} 0`,
      `resident_memory_bytes 60000000`,
    ]
  ) assert.ok(lines.includes(`azure_proxy_agent_${line}`), line);
  assert.ok(!lines.some((line) => line.includes("10.0.0.1")), "an address is no label");
  stop.abort();
});

Deno.test("prometheusText() is the text format, read strictly", () => {
  const { sources, stop } = stand();
  for (const elapsedMs of [0, 0.004, 1, 70_000]) {
    sources.requests.count(makeEntry({ elapsedMs }), {
      received: 1,
      attributed: 2,
      decided: 4,
      complete: 5,
      endorsed: 7,
    });
  }
  const read = readExposition(prometheusText(metrics(sources)));
  const stages = [...read.get(`${PREFIX}request_duration_seconds`)!.labels]
    .filter((label) => label.startsWith("stage="));
  assert.deepEqual(stages, STAGES.map((stage) => `stage="${stage}"`));
  assert.ok(read.size > 20);
  stop.abort();
});

Deno.test("metrics() has no label but words of closed lists, whatever a caller sends", () => {
  const { sources, stop } = stand();
  const odd = 'x"\n\\{le="0"} 1';
  sources.requests.count(
    makeEntry({ method: odd, target: odd, detail: odd, ruleSetId: odd }),
    null,
  );
  sources.requests.count(makeDenial({ endpoint: null, mode: null, reason: "bad-request" }), null);
  const read = readExposition(prometheusText(metrics(sources)));
  const labels = new Set([...read.values()].flatMap(({ labels }) => [...labels]));
  const names = new Set([...labels].map((label) => label.slice(0, label.indexOf("="))));
  assert.deepEqual([...names].sort(), [
    "endpoint",
    "le",
    "mode",
    "part",
    "queue",
    "reason",
    "result",
    "stage",
    "state",
    "verdict",
  ]);
  for (const label of labels) assert.match(label, /^\w+="[\w.+-]+"$/);
  stop.abort();
});

Deno.test("metrics() tells no key age, no poll age and no host's time before there are any", () => {
  const { sources, cell, stop } = stand({
    keeper: { pollResults: new Map(), lastPollWallMs: null },
    hostClock: { skewMs: () => null },
  });
  cell.publish({ ...cell.get(), key: null });
  const text = prometheusText(metrics(sources));
  assert.match(text, /^azure_proxy_agent_key_held 0$/m);
  assert.doesNotMatch(text, /key_age|poll_age|polls_total|host_clock/);
  stop.abort();
});

Deno.test("KeyAge counts from the moment a key is another one", async () => {
  const { sources, cell, clock, stop } = stand();
  await clock.advance(1_000);
  cell.publish({ ...cell.get() });
  assert.equal(sources.keyAge.ageMs, 1_000);
  cell.publish({ ...cell.get(), key: { ...cell.get().key!, guid: "another" } });
  assert.equal(sources.keyAge.ageMs, 0);
  cell.publish({ ...cell.get(), key: null });
  assert.equal(sources.keyAge.ageMs, null);
  stop.abort();
});

const LATER = "bab84aaa-eae6-4fe0-83ba-168f15ad91be";

Deno.test("KeyAge goes on over a restart, by the time of the stored key, unless that is from the future", async () => {
  const { cell, clock, stop } = stand();
  const stored = new Map<string, number | null>([
    [cell.get().key!.guid, clock.wallMs() - 86_400_000],
    [LATER, clock.wallMs() + 86_400_000],
  ]);
  const storedWallMs = (guid: string) => Promise.resolve(stored.get(guid) ?? null);
  const age = new KeyAge(cell, clock, { storedWallMs }, stop.signal);
  await clock.advance(1_000);
  assert.equal(age.ageMs, 86_401_000);
  cell.publish({ ...cell.get(), key: { ...cell.get().key!, guid: LATER } });
  await clock.advance(500);
  assert.equal(age.ageMs, 500);
  stop.abort();
});

/** The members of each message. Source: opentelemetry-proto 1.x, metrics.proto, common.proto, resource.proto. */
const OTLP_MEMBERS: Readonly<Record<string, Readonly<Record<string, string | null>>>> = {
  Request: { resourceMetrics: "ResourceMetrics" },
  ResourceMetrics: { resource: "Resource", scopeMetrics: "ScopeMetrics", schemaUrl: null },
  Resource: { attributes: "KeyValue", droppedAttributesCount: null },
  ScopeMetrics: { scope: "Scope", metrics: "Metric", schemaUrl: null },
  Scope: { name: null, version: null, attributes: "KeyValue", droppedAttributesCount: null },
  Metric: {
    name: null,
    description: null,
    unit: null,
    gauge: "Gauge",
    sum: "Sum",
    histogram: "Histogram",
    metadata: "KeyValue",
  },
  Gauge: { dataPoints: "NumberDataPoint" },
  Sum: { dataPoints: "NumberDataPoint", aggregationTemporality: null, isMonotonic: null },
  Histogram: { dataPoints: "HistogramDataPoint", aggregationTemporality: null },
  NumberDataPoint: {
    attributes: "KeyValue",
    startTimeUnixNano: null,
    timeUnixNano: null,
    asDouble: null,
    asInt: null,
    exemplars: null,
    flags: null,
  },
  HistogramDataPoint: {
    attributes: "KeyValue",
    startTimeUnixNano: null,
    timeUnixNano: null,
    count: null,
    sum: null,
    bucketCounts: null,
    explicitBounds: null,
    exemplars: null,
    flags: null,
    min: null,
    max: null,
  },
  KeyValue: { key: null, value: "AnyValue" },
  AnyValue: { stringValue: null, boolValue: null, intValue: null, doubleValue: null },
};

function checkOtlp(message: string, value: Record<string, unknown>): void {
  for (const [name, member] of Object.entries(value)) {
    const inner = OTLP_MEMBERS[message]?.[name];
    assert.ok(inner !== undefined, `${message} has no ${name}`);
    const all = Array.isArray(member) ? member : [member];
    if (inner !== null) { for (const each of all) checkOtlp(inner, each); }
    // 64-bit whole numbers are text.
    if (/Nano$|^count$|^bucketCounts$/.test(name)) {
      for (const each of all) assert.match(each, /^\d+$/, name);
    }
  }
}

Deno.test("otlpDocument() has the members of the protocol and no other", () => {
  const { sources, stop } = stand();
  sources.requests.count(makeEntry({ elapsedMs: 1 }), null);
  const context = { version: "1.2.3", startedWallMs: 1_000.2, wallMs: 2_000 };
  checkOtlp("Request", JSON.parse(JSON.stringify(otlpDocument(metrics(sources), context))));
  stop.abort();
});

Deno.test("otlpDocument() says the same as the text, in OTLP's JSON", () => {
  const { sources, stop } = stand();
  sources.requests.count(makeEntry({ elapsedMs: 1 }), null);
  const context = { version: "1.2.3", startedWallMs: 1_000.2, wallMs: 2_000 };
  const document = JSON.parse(JSON.stringify(otlpDocument(metrics(sources), context)));
  const [{ resource, scopeMetrics: [{ metrics: sent }] }] = document.resourceMetrics;
  assert.deepEqual(resource.attributes, [
    { key: "service.name", value: { stringValue: "azure-proxy-agent" } },
    { key: "service.version", value: { stringValue: "1.2.3" } },
  ]);
  const named = (name: string) =>
    sent.find((metric: { name: string }) => metric.name === `azure_proxy_agent_${name}`);
  assert.deepEqual(named("requests_total"), {
    name: "azure_proxy_agent_requests_total",
    description: "Requests answered.",
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [{
        startTimeUnixNano: "1000000000",
        timeUnixNano: "2000000000",
        attributes: [
          { key: "endpoint", value: { stringValue: "imds" } },
          { key: "mode", value: { stringValue: "enforce" } },
          { key: "verdict", value: { stringValue: "allow" } },
          { key: "reason", value: { stringValue: "none" } },
        ],
        asDouble: 1,
      }],
    },
  });
  assert.equal(named("policy_epoch").gauge.dataPoints[0].asDouble, 12);
  const whole = named("request_duration_seconds").histogram.dataPoints.at(-1);
  assert.equal(whole.count, "1");
  assert.equal(whole.bucketCounts.length, whole.explicitBounds.length + 1);
  assert.equal(named("kernel_events_total"), undefined, "metrics without samples are left out");
  stop.abort();
});
