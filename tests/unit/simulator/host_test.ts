import assert from "node:assert/strict";
import {
  DEFAULT_HOST_OPTIONS,
  type HostPolicy,
  SimulatedHost,
} from "../../../src/simulator/mod.ts";
import { parseKeyGrant, parseKeyStatus } from "../../../src/domain/wire/mod.ts";
import {
  type HostRequestChange,
  SAMPLE_MS,
  sampleHostRequest,
} from "../../fakes/sample_host_request.ts";

const ACQUIRE: HostRequestChange = {
  endpoint: "wireserver",
  method: "POST",
  target: "/secure-channel/key",
  headers: [["metadata", "True"]],
  body: '{"authorizationScheme": "Azure-HMAC-SHA256"}',
};
const STATUS: HostRequestChange = {
  endpoint: "wireserver",
  target: "/secure-channel/status",
  headers: [["metadata", "True"]],
};

class Stand {
  readonly host: SimulatedHost;
  #random = 0;
  constructor(policy: HostPolicy = DEFAULT_HOST_OPTIONS.policy) {
    this.host = new SimulatedHost({
      ...DEFAULT_HOST_OPTIONS,
      policy,
      wallMs: () => SAMPLE_MS,
      randomBytes: (count) => new Uint8Array(count).fill(++this.#random),
    });
  }
  ask(change: HostRequestChange = {}) {
    const { answer, verdict, need } = this.host.judge(sampleHostRequest(change));
    const header = (name: string) => answer.headers.find((field) => field[0] === name)?.[1] ?? null;
    return {
      status: answer.status,
      text: new TextDecoder().decode(answer.body),
      header,
      verdict,
      need,
    };
  }
  /** Acquires and attests a key, and returns it. */
  latch() {
    const grant = parseKeyGrant(this.ask(ACQUIRE).text);
    assert.ok(grant.ok);
    const key = this.host.keys.find(grant.value.guid, SAMPLE_MS)!.key;
    const target = `/secure-channel/key/${key.guid}/key-attestation`;
    const attested = this.ask({ ...STATUS, method: "POST", target, key });
    assert.equal(attested.status, 200);
    return key;
  }
  named(): string | null {
    const status = parseKeyStatus(this.ask(STATUS).text);
    assert.ok(status.ok);
    return status.value.keyGuid;
  }
}

const v1 = (secureChannelState: string): HostPolicy => ({ version: "1.0", secureChannelState });
const GOAL_STATE = { endpoint: "wireserver", target: "/machine/?comp=goalstate" } as const;

Deno.test("judge() answers a status question with the policy, the key and the host's time", () => {
  const stand = new Stand(v1("Wireserver"));
  stand.host.clockSkewMs = 3_600_000;
  const { status, text, header, need } = stand.ask(STATUS);
  assert.equal(status, 200);
  assert.equal(need, "exempt");
  assert.equal(header("x-ms-azure-host-date"), "Tue, 06 Jan 2026 08:08:09 GMT");
  assert.deepEqual(JSON.parse(text), {
    authorizationScheme: "Azure-HMAC-SHA256",
    keyDeliveryMethod: "http",
    keyGuid: null,
    keyIncarnationId: null,
    requiredClaimsHeaderPairs: ["isRoot"],
    version: "1.0",
    secureChannelState: "Wireserver",
  });
});

Deno.test("judge() follows the whole way of a key: acquire, attest, named as latched", () => {
  const stand = new Stand();
  assert.equal(stand.named(), null);
  const key = stand.latch();
  assert.equal(stand.named(), key.guid);
  assert.equal(stand.host.keys.latched, key);
});

Deno.test("judge() refuses an attestation that is not signed with that key, latched or not", () => {
  const stand = new Stand(v1("Disabled"));
  stand.ask(ACQUIRE);
  const grant = parseKeyGrant(stand.ask(ACQUIRE).text);
  assert.ok(grant.ok);
  const target = `/secure-channel/key/${grant.value.guid}/key-attestation`;
  const refused = stand.ask({ ...STATUS, method: "POST", target });
  assert.deepEqual([refused.status, refused.text], [401, "signature refused: unsigned\n"]);
  assert.equal(stand.host.keys.latched, null);
});

Deno.test("judge() names the new key of a rotation until it is attested, and takes the old signatures meanwhile", () => {
  const stand = new Stand();
  const old = stand.latch();
  const next = stand.host.keys.rotate(SAMPLE_MS);
  assert.equal(stand.named(), next.guid);
  assert.equal(stand.ask({ key: old }).status, 200);
  assert.equal(stand.latch(), next);
  assert.equal(stand.ask({ key: next }).status, 200);
  assert.deepEqual(stand.ask({ key: old }).verdict, {
    kind: "signed",
    guid: old.guid,
    standing: "previous",
  });
});

Deno.test("judge() gives a key only to who asks for this scheme", () => {
  const stand = new Stand();
  for (const body of ["", "{", "null", "[]", '{"authorizationScheme":"Other"}']) {
    assert.equal(stand.ask({ ...ACQUIRE, body }).status, 400, body);
  }
});

Deno.test("judge() wants the metadata field and the right methods on the secure channel", () => {
  const stand = new Stand();
  assert.equal(stand.ask({ ...STATUS, headers: [] }).status, 400);
  assert.equal(stand.ask({ ...STATUS, method: "POST", key: stand.latch() }).status, 405);
  const key = stand.latch();
  const on = (target: string, method: string) =>
    stand.ask({ ...STATUS, key, target, method }).status;
  assert.equal(on("/secure-channel/key", "GET"), 405);
  assert.equal(on("/secure-channel/other", "POST"), 404);
});

Deno.test("judge() lets everything pass while no key is latched", () => {
  const stand = new Stand();
  const { status, verdict, need } = stand.ask();
  assert.deepEqual([status, verdict.kind, need], [200, "unsigned", "required"]);
});

Deno.test("judge() refuses the unsigned and the badly signed once a key is latched and the mode enforces", () => {
  const stand = new Stand();
  const key = stand.latch();
  assert.deepEqual([stand.ask().status, stand.ask().text], [401, "signature refused: unsigned\n"]);
  const late = stand.ask({ key, dateMs: 0 });
  assert.deepEqual([late.status, late.text], [401, "signature refused: date-too-far\n"]);
  assert.equal(stand.ask({ key }).status, 200);
  assert.equal(stand.ask({ ...GOAL_STATE, key }).status, 200);
  assert.equal(stand.ask(GOAL_STATE).status, 401);
  assert.equal(stand.ask({ endpoint: "hostga", target: "/vmSettings" }).status, 401);
});

Deno.test("judge() goes by the mode of each endpoint", () => {
  const stand = new Stand(v1("Wireserver"));
  stand.latch();
  assert.equal(stand.ask().status, 200, "IMDS is audited");
  assert.equal(stand.ask(GOAL_STATE).status, 401);
  stand.host.policy = v1("Disabled");
  assert.equal(stand.ask(GOAL_STATE).status, 200);
});

Deno.test("judge() wants no signature of the exempt", () => {
  const stand = new Stand();
  stand.latch();
  const exempt: HostRequestChange[] = [
    STATUS,
    ACQUIRE,
    { endpoint: "hostga", method: "PUT", target: "/vmAgentLog" },
    { endpoint: "wireserver", method: "POST", target: "/machine/?comp=telemetrydata" },
  ];
  for (const change of exempt) {
    const { status, need, verdict } = stand.ask(change);
    assert.deepEqual([status, need, verdict.kind], [200, "exempt", "unsigned"], change.target);
  }
  const notQuite: HostRequestChange[] = [
    { ...STATUS, target: "/secure-channel/status?x=1" },
    { ...ACQUIRE, target: "/secure-channel/key?" },
    { endpoint: "imds", method: "PUT", target: "/vmAgentLog" },
    { endpoint: "wireserver", method: "POST", target: "/machine?comp=telemetrydata" },
  ];
  for (const change of notQuite) assert.equal(stand.ask(change).status, 401, change.target);
});

Deno.test("judge() counts by endpoint and verdict", () => {
  const stand = new Stand();
  const key = stand.latch();
  stand.ask({ key });
  stand.ask({ key, dateMs: 0 });
  stand.ask();
  assert.deepEqual(stand.host.counts.imds, {
    signed: 1,
    exempt: 0,
    unsigned: 1,
    bad: 1,
    refused: 2,
    malformed: 0,
  });
  assert.equal(stand.host.counts.wireserver.exempt, 1, "the acquisition");
  assert.equal(stand.host.counts.wireserver.signed, 1, "the attestation");
});

Deno.test("WireServer serves the documents that a guest agent asks for", () => {
  const stand = new Stand(v1("Disabled"));
  stand.host.site = { address: "10.1.2.3", port: 8080 };
  const get = (target: string) => stand.ask({ endpoint: "wireserver", target });
  assert.match(get("/?comp=versions").text, /<Version>2012-11-30<\/Version>/);
  const goalState = get("/machine?comp=goalstate");
  assert.equal(goalState.header("content-type"), "text/xml; charset=utf-8");
  assert.equal(get("/machine/?comp=GoalState").text, goalState.text);
  const found = /<SharedConfig>http:\/\/10\.1\.2\.3:8080([^<]+)<\/SharedConfig>/.exec(
    goalState.text,
  );
  const shared = get(found![1]!.replaceAll("&amp;", "&"));
  assert.match(shared.text, /<Instance id="[^"]+" address="[^"]+"\/>/);
  assert.match(get("/machine/x/y?comp=config&type=hostingEnvironmentConfig").text, /<Role /);
  assert.match(get("/machine/x/y?comp=config&type=extensionsConfig").text, /<Plugins\/>/);
  assert.match(get("/machine/x/y?comp=certificates").text, /CertificatesNonPfxPackage/);
  assert.equal(get("/machine/x/y?comp=config&type=fullConfig").status, 404);
  const health = stand.ask({
    endpoint: "wireserver",
    method: "POST",
    target: "/machine?comp=health",
  });
  assert.deepEqual([health.status, health.text], [200, ""]);
  const role = stand.ask({
    endpoint: "wireserver",
    method: "POST",
    target: "/machine?comp=roleProperties",
  });
  assert.deepEqual([role.status, role.text], [202, ""]);
});

Deno.test("WireServer and HostGAPlugin tell of one and the same goal state", () => {
  const stand = new Stand(v1("Disabled"));
  const { text } = stand.ask({
    endpoint: "wireserver",
    target: "/machine/x/y?comp=config&type=extensionsConfig",
  });
  const settings = stand.ask({ endpoint: "hostga", target: "/vmSettings" }).text;
  const { activityId, correlationId, statusUploadBlob } = JSON.parse(settings);
  const [, ticks] = /"extensionsLastModifiedTickCount":(\d+)/.exec(settings) ?? [];
  for (
    const told of [
      `createdOnTicks="${ticks}"`,
      `activityId="${activityId}"`,
      `correlationId="${correlationId}"`,
      `<StatusUploadBlob statusBlobType="${statusUploadBlob.statusBlobType}">${statusUploadBlob.value}</`,
    ]
  ) assert.ok(text.includes(told), told);
});

Deno.test("HostGAPlugin serves settings, 304 for those who have them, and takes reports", () => {
  const stand = new Stand(v1("Disabled"));
  const ask = (change: HostRequestChange) => stand.ask({ endpoint: "hostga", ...change });
  const settings = ask({ target: "/vmSettings" });
  assert.equal(JSON.parse(settings.text).vmSettingsSchemaVersion, "0.0");
  const etag = settings.header("etag")!;
  const again = ask({ target: "/vmSettings", headers: [["if-none-match", etag]] });
  assert.deepEqual([again.status, again.text, again.header("etag")], [304, "", etag]);
  assert.deepEqual(JSON.parse(ask({ target: "/versions" }).text), ["2015-09-01"]);
  assert.equal(ask({ target: "/extensionArtifact" }).status, 404);
  assert.equal(ask({ target: "/status", method: "PUT", body: "{}" }).status, 200);
});

Deno.test("IMDS wants its metadata field, and says so as the platform does", () => {
  const stand = new Stand(v1("Disabled"));
  const bare = stand.ask({ headers: [] });
  assert.equal(bare.status, 400);
  assert.match(JSON.parse(bare.text).error, /metadata header not specified/);
  const token = stand.ask({ headers: [], target: "/metadata/identity/oauth2/token" });
  assert.deepEqual([token.status, JSON.parse(token.text).error], [400, "invalid_request"]);
  assert.equal(stand.ask({ headers: [["metadata", "false"]] }).status, 400);
  const forwarded = stand.ask({ headers: [["metadata", "TRUE"], ["x-forwarded-for", "1.2.3.4"]] });
  assert.equal(forwarded.status, 400);
});

Deno.test("IMDS serves the instance document and its parts", () => {
  const stand = new Stand(v1("Disabled"));
  const get = (target: string) => stand.ask({ target });
  const whole = JSON.parse(get("/metadata/instance?api-version=2018-02-01").text);
  for (
    const name of ["location", "name", "resourceGroupName", "subscriptionId", "vmId", "vmSize"]
  ) {
    assert.notEqual(whole.compute[name] ?? "", "", name);
  }
  const at = "api-version=2021-02-01";
  assert.deepEqual(JSON.parse(get(`/metadata/instance/compute?${at}`).text), whole.compute);
  assert.equal(get(`/metadata/instance/compute/vmId?${at}&format=text`).text, whole.compute.vmId);
  assert.equal(
    get(`/metadata/instance?${at}&FORMAT=text`).text,
    "compute\nnetwork",
  );
  assert.equal(
    get(`/metadata/instance/network/interface/0/macAddress?${at}&format=text`).text,
    whole.network.interface[0].macAddress,
  );
  for (const path of ["compute/none", "compute/vmId/x", "constructor", "compute/toString"]) {
    assert.equal(get(`/metadata/instance/${path}?${at}`).status, 404, path);
  }
});

Deno.test("IMDS wants an api-version, a known path and a reading method", () => {
  const stand = new Stand(v1("Disabled"));
  const missing = stand.ask({ target: "/metadata/instance" });
  assert.equal(missing.status, 400);
  assert.equal(JSON.parse(missing.text)["newest-versions"].length, 3);
  assert.equal(stand.ask({ target: "/metadata/none?api-version=1" }).status, 404);
  assert.equal(stand.ask({ target: "/" }).status, 404);
  assert.equal(stand.ask({ method: "POST" }).status, 405);
  assert.equal(stand.ask({ target: "/metadata/scheduledevents?api-version=1" }).status, 200);
  assert.ok(JSON.parse(stand.ask({ target: "/metadata/versions" }).text).apiVersions.length > 2);
});

Deno.test("IMDS hands out tokens that nobody can take for one", () => {
  const stand = new Stand(v1("Disabled"));
  const target = "/metadata/identity/oauth2/token?api-version=2018-02-01";
  const token = JSON.parse(
    stand.ask({ target: `${target}&resource=https%3A%2F%2Fvault.azure.net&client_id=me` }).text,
  );
  assert.match(token.access_token, /^SIMULATED-NOT-A-TOKEN\./);
  assert.equal(token.resource, "https://vault.azure.net");
  assert.equal(token.client_id, "me");
  assert.equal(Number(token.expires_on), SAMPLE_MS / 1000 + Number(token.expires_in));
  const raw = JSON.parse(
    stand.ask({ target: `${target}&resource=https://management.azure.com` }).text,
  );
  assert.equal(raw.resource, "https://management.azure.com");
  assert.equal(JSON.parse(stand.ask({ target: `${target}&resource=%zz` }).text).resource, "%zz");
  for (const bad of ["", "&resource=", "&resource"]) {
    assert.equal(stand.ask({ target: target + bad }).status, 400, bad);
  }
});
