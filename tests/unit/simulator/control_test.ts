import assert from "node:assert/strict";
import { controlApp, DEFAULT_HOST_OPTIONS, SimulatedHost } from "../../../src/simulator/mod.ts";
import { SAMPLE_MS, sampleHostRequest } from "../../fakes/sample_host_request.ts";

function stand() {
  const host = new SimulatedHost({ ...DEFAULT_HOST_OPTIONS, wallMs: () => SAMPLE_MS });
  const app = controlApp(host);
  const ask = async (method: string, path: string, document?: unknown) => {
    const body = typeof document === "string" ? document : JSON.stringify(document);
    const response = await app.request(
      path,
      document === undefined ? { method } : { method, body },
    );
    return { status: response.status, json: await response.json() };
  };
  const latch = () => {
    const key = host.keys.offer(SAMPLE_MS);
    host.keys.latch(key.guid, SAMPLE_MS);
    return key;
  };
  return { host, ask, latch };
}

Deno.test("/policy shows and replaces the policy", async () => {
  const { host, ask } = stand();
  assert.deepEqual((await ask("GET", "/policy")).json, host.policy);
  const policy = { version: "1.0", secureChannelState: "Wireserver" };
  assert.deepEqual(await ask("PUT", "/policy", policy), { status: 200, json: policy });
  assert.deepEqual(host.policy, policy);
});

Deno.test("/policy refuses what is none, and keeps the one it had", async () => {
  const { host, ask } = stand();
  const before = host.policy;
  for (const bad of ["{", "{}", '{"version":"1.0","x":1}', " ".repeat(4_194_305)]) {
    const { status, json } = await ask("PUT", "/policy", bad);
    assert.equal(status, 400);
    assert.equal(typeof json.error, "string");
  }
  assert.equal(host.policy, before);
});

Deno.test("/rotate-key names a new key and shows none", async () => {
  const { host, ask, latch } = stand();
  const key = latch();
  const { json } = await ask("POST", "/rotate-key");
  assert.notEqual(json.keyGuid, key.guid);
  assert.equal(host.keys.namedGuid(), json.keyGuid);
  assert.deepEqual(json, { keyGuid: json.keyGuid, keyIncarnationId: 2 });
});

Deno.test("/forget-keys and /key-naming change what the host says of keys", async () => {
  const { host, ask, latch } = stand();
  const key = latch();
  assert.equal((await ask("PUT", "/key-naming", { keyGuid: "none" })).json.namedGuid, null);
  const foreign = (await ask("PUT", "/key-naming", { keyGuid: "foreign" })).json;
  assert.equal(foreign.latchedGuid, key.guid);
  assert.notEqual(foreign.namedGuid, key.guid);
  for (const bad of [{}, { keyGuid: "x" }, "{", null]) {
    assert.equal((await ask("PUT", "/key-naming", bad)).status, 400);
  }
  assert.equal((await ask("POST", "/forget-keys")).json.latchedGuid, null);
  assert.equal(host.keys.latched, null);
});

Deno.test("/faults sets, shows and removes faults", async () => {
  const { host, ask } = stand();
  const set = await ask("PUT", "/faults", [{ kind: "slow", ms: 5, endpoint: "imds", count: 2 }]);
  assert.equal(set.json.faults[0].kind, "slow");
  assert.deepEqual((await ask("GET", "/faults")).json, set.json);
  assert.equal((await ask("PUT", "/faults", [{ kind: "x" }])).status, 400);
  assert.equal(host.faults.list.length, 1);
  assert.deepEqual((await ask("DELETE", "/faults")).json, { hits: 0, faults: [] });
});

Deno.test("/clock sets the host apart from the machine", async () => {
  const { host, ask } = stand();
  assert.deepEqual((await ask("PUT", "/clock", { skewMs: -5_000 })).json, { skewMs: -5_000 });
  assert.equal(host.nowMs(), SAMPLE_MS - 5_000);
  for (const bad of [{}, { skewMs: "1" }, { skewMs: 1e15 }, "nonsense"]) {
    assert.equal((await ask("PUT", "/clock", bad)).status, 400);
  }
});

Deno.test("/journal shows what came after, in portions, and forgets", async () => {
  const { host, ask } = stand();
  for (let number = 1; number <= 3; number++) {
    const request = sampleHostRequest({ target: `/${number}` });
    const verdict = { kind: "unsigned" } as const;
    host.journal.add({ request, need: "required", verdict, status: 200, fault: null });
  }
  const first = (await ask("GET", "/journal?limit=2")).json;
  assert.deepEqual(first.entries.map((line: { target: string }) => line.target), ["/1", "/2"]);
  const rest = (await ask("GET", `/journal?since=${first.nextSince}`)).json;
  assert.deepEqual(rest.entries.map((line: { target: string }) => line.target), ["/3"]);
  assert.deepEqual((await ask("GET", "/journal?since=3")).json, { nextSince: 3, entries: [] });
  for (const bad of ["since=x", "since=-1", "limit=0", "limit=x"]) {
    assert.equal((await ask("GET", `/journal?${bad}`)).status, 400, bad);
  }
  assert.deepEqual((await ask("DELETE", "/journal")).json, { nextSince: 3 });
  assert.deepEqual((await ask("GET", "/journal")).json.entries, []);
});

Deno.test("/certificate names the machine's certificate", async () => {
  const { host, ask } = stand();
  assert.deepEqual((await ask("GET", "/certificate")).json, {
    thumbprint: host.certificate.thumbprint,
  });
});

Deno.test("/state shows everything but keys", async () => {
  const { ask, latch } = stand();
  const key = latch();
  const { json } = await ask("GET", "/state");
  assert.deepEqual(json.modes, { wireserver: "enforce", hostga: "enforce", imds: "enforce" });
  assert.equal(json.keys.latchedGuid, key.guid);
  assert.equal(json.requests.imds.signed, 0);
  assert.ok(!JSON.stringify(json).includes(key.hex));
});

Deno.test("any other path is a 404 that names the ones there are", async () => {
  const { ask } = stand();
  const { status, json } = await ask("GET", "/");
  assert.equal(status, 404);
  assert.ok(json.error.includes("/journal"));
});

Deno.test("/telemetry shows uploads as they arrived, and counts what was none", async () => {
  const { host, ask } = stand();
  const xml = '<?xml version="1.0"?><TelemetryData version="1.0"><Provider id="p">' +
    '<Event id="7"><![CDATA[]]></Event><Event id="7"><![CDATA[]]></Event></Provider></TelemetryData>';
  const post = (body: string, method = "POST", target = "/machine/?comp=telemetrydata") =>
    host.answered(sampleHostRequest({ endpoint: "wireserver", method, target, body }));
  post(xml);
  post("something else");
  post(xml);
  post(xml, "PUT");
  post(xml, "POST", "/machine/?comp=health");
  const time = new Date(SAMPLE_MS).toISOString();
  const entries = [{ seq: 1, time, events: 2, xml }, { seq: 2, time, events: 2, xml }];
  assert.deepEqual((await ask("GET", "/telemetry")).json, {
    uploads: 2,
    events: 4,
    unread: 1,
    entries,
  });
  assert.deepEqual((await ask("GET", "/telemetry?since=1")).json.entries, entries.slice(1));
  assert.equal((await ask("GET", "/telemetry?since=x")).status, 400);
  for (let i = 0; i < 300; i++) post(xml);
  assert.equal((await ask("GET", "/telemetry")).json.entries.length, 256);
});
