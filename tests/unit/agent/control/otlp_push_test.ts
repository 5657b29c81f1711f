import assert from "node:assert/strict";
import { OtlpPush } from "../../../../src/agent/control/mod.ts";
import { stand } from "./stand.ts";

function pushing(send: (url: string, init: RequestInit) => Promise<Response>) {
  const { sources, clock, stop } = stand();
  const reports: string[] = [];
  const url = "http://127.0.0.1:4318/v1/metrics";
  const part = new OtlpPush({ clock, url, intervalMs: 60_000, sources, send });
  const done = part.run(stop.signal, {
    report: (state, code, message) => void reports.push(`${state} ${code} ${message}`),
  });
  return { clock, reports, end: () => (stop.abort(), done) };
}

Deno.test("OtlpPush.run() sends all metrics each interval and reports how that went", async () => {
  const bodies: string[] = [];
  const answers = [200, 503, 200];
  const { clock, reports, end } = pushing((url, init) => {
    assert.equal(url, "http://127.0.0.1:4318/v1/metrics");
    assert.equal(init.method, "POST");
    bodies.push(String(init.body));
    return Promise.resolve(new Response("{}", { status: answers.shift()! }));
  });
  await clock.advance(60_000);
  await clock.advance(60_000);
  await clock.advance(60_000);
  await end();
  assert.equal(bodies.length, 3);
  assert.match(bodies[0]!, /azure_proxy_agent_part_running/);
  assert.deepEqual(reports, [
    "UNKNOWN OTLP_STARTED No metrics were sent yet",
    "RUNNING OTLP_SENT Metrics are sent",
    "STOPPED OTLP_FAILED Metrics are not sent: the collector answered 503",
    "RUNNING OTLP_SENT Metrics are sent",
  ]);
});

Deno.test("OtlpPush.run() goes on when no collector is there, or one that never answers", async () => {
  let calls = 0;
  const { clock, reports, end } = pushing((_url, init) => {
    if (++calls === 1) return Promise.reject(new TypeError("refused"));
    return new Promise((_resolve, reject) => {
      init.signal?.addEventListener("abort", () => reject(new Error("given up")));
    });
  });
  await clock.advance(60_000);
  await clock.advance(60_000 + 10_000);
  assert.deepEqual(reports.slice(1), [
    "STOPPED OTLP_FAILED Metrics are not sent: refused",
    "STOPPED OTLP_FAILED Metrics are not sent: given up",
  ]);
  await end();
});
