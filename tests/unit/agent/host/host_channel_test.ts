import assert from "node:assert/strict";
import {
  Exchange,
  HostClock,
  queryProvision,
  TcpHostChannel,
} from "../../../../src/agent/host/mod.ts";
import { ENDPOINTS, type SocketAddress } from "../../../../src/domain/wire/mod.ts";
import type { AgentError } from "../../../../src/runtime/errors.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { keyText, statusV1 } from "../../../fakes/fake_host_channel.ts";
import { ScriptedSocket } from "../../../fakes/scripted_socket.ts";
import { SAMPLE_GUID, sampleKey } from "../../domain/sample_values.ts";

const signal = new AbortController().signal;
const DATE = "x-ms-azure-host-date: Tue, 06 Jan 2026 07:08:09 GMT\r\n";
const WIRESERVER = `${DATE}host: 168.63.129.16\r\n`;
const CLAIMS = 'x-ms-azure-host-claims: { "isRoot": "true"}\r\n';

/** A channel whose every connection is one socket that answers `answer`, whatever is asked. */
function stand(answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") {
  const sockets: ScriptedSocket[] = [];
  const dialled: SocketAddress[] = [];
  const clock = new HostClock(new FakeClock());
  const exchange = new Exchange(new FakeClock(), (to) => {
    const socket = new ScriptedSocket();
    socket.push(answer);
    socket.end();
    sockets.push(socket);
    dialled.push(to);
    return Promise.resolve(socket);
  });
  const channel = new TcpHostChannel(ENDPOINTS, exchange, clock);
  return { channel, exchange, clock, dialled, sent: () => sockets.map((s) => s.sentText) };
}

function answer(body: string, head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n") {
  return `${head}content-length: ${new TextEncoder().encode(body).length}\r\n\r\n${body}`;
}

async function failure(asking: Promise<unknown>): Promise<AgentError> {
  return await asking.then(() => assert.fail("it was answered"), (error: AgentError) => error);
}

Deno.test("keyStatus() sends the bytes of the specification", async () => {
  const { channel, sent, dialled } = stand(answer(JSON.stringify(statusV1("Disabled", null))));
  const status = await channel.keyStatus(signal);
  assert.equal(status.secureChannelState, "Disabled");
  assert.deepEqual(sent(), [
    `GET /secure-channel/status HTTP/1.1\r\n${WIRESERVER}${CLAIMS}` +
    "content-length: 0\r\nmetadata: True \r\n\r\n",
  ]);
  assert.deepEqual(dialled, [ENDPOINTS.wireserver]);
});

Deno.test("keyStatus() sets the host clock even when the document is bad", async () => {
  const head = "HTTP/1.1 200 OK\r\nx-ms-azure-host-date: Wed, 01 Jul 2026 12:00:00 GMT\r\n";
  const { channel, clock } = stand(answer("{", head));
  assert.equal((await failure(channel.keyStatus(signal))).code, "HOST_DOCUMENT");
  assert.equal(clock.now(), "Wed, 01 Jul 2026 12:00:00 GMT");
});

Deno.test("keyStatus() does not set the clock from a refusal", async () => {
  const { channel, clock } = stand(
    "HTTP/1.1 503 Busy\r\ndate: Wed, 01 Jul 2026 12:00:00 GMT\r\ncontent-length: 0\r\n\r\n",
  );
  const error = await failure(channel.keyStatus(signal));
  assert.equal(error.code, "HOST_STATUS");
  assert.deepEqual(error.detail, { status: 503 });
  assert.equal(clock.skewMs(), null);
});

Deno.test("keyStatus() takes any 2xx, acquireKey() and attestKey() exactly 200", async () => {
  const document = JSON.stringify(statusV1("Disabled", null));
  const { channel: lenient } = stand(answer(document, "HTTP/1.1 203 Other\r\n"));
  assert.equal((await lenient.keyStatus(signal)).version, "1.0");
  for (const status of ["201 Created", "204 No Content", "302 Found", "401 No"]) {
    const { channel } = stand(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`);
    assert.equal((await failure(channel.acquireKey(signal))).code, "HOST_STATUS", status);
    assert.equal((await failure(channel.attestKey(sampleKey(), signal))).code, "HOST_STATUS");
  }
});

Deno.test("keyStatus() names what is wrong with a document and repeats nothing of it", async () => {
  const { channel } = stand(answer('{"version":"1.0","authorizationScheme":"TOP-SECRET"}'));
  const error = await failure(channel.keyStatus(signal));
  assert.equal(error.code, "HOST_DOCUMENT");
  assert.equal(error.detail["fault"], "MEMBER_MISSING");
  assert.ok(!Deno.inspect(error).includes("TOP-SECRET"));
});

Deno.test("acquireKey() sends the bytes of the specification and returns the key", async () => {
  const { channel, sent } = stand(answer(keyText(SAMPLE_GUID)));
  const grant = await channel.acquireKey(signal);
  assert.equal(grant.guid, SAMPLE_GUID);
  assert.equal(grant.incarnationId, 7);
  assert.deepEqual(sent(), [
    `POST /secure-channel/key HTTP/1.1\r\n${WIRESERVER}${CLAIMS}` +
    "content-length: 44\r\nmetadata: True \r\ncontent-type: application/json\r\n\r\n" +
    '{"authorizationScheme": "Azure-HMAC-SHA256"}',
  ]);
});

Deno.test("acquireKey() never puts a key into an error", async () => {
  const { channel } = stand(answer(keyText("not-a-guid", "C0FFEE".repeat(10))));
  const error = await failure(channel.acquireKey(signal));
  assert.equal(error.code, "HOST_DOCUMENT");
  assert.ok(!Deno.inspect(error, { depth: 10 }).includes("C0FFEE"));
});

Deno.test("attestKey() signs with the new key, without the blank that is sent", async () => {
  const { channel, sent } = stand();
  await channel.attestKey(sampleKey(), signal);
  // Vector V1 of wire-protocol 5.8.
  const signature = "c5a51c237078f8d8a45f9487882a763480d9335151513b0529b65af3a7538962";
  assert.deepEqual(sent(), [
    `POST /secure-channel/key/${SAMPLE_GUID}/key-attestation HTTP/1.1\r\n${WIRESERVER}${CLAIMS}` +
    "content-length: 0\r\nmetadata: True \r\n" +
    `x-ms-azure-host-authorization: Azure-HMAC-SHA256 ${SAMPLE_GUID} ${signature}\r\n\r\n`,
  ]);
});

Deno.test("attestKey() refuses a key whose id could leave its place in the target", async () => {
  const { channel, dialled } = stand();
  const key = { ...sampleKey(), guid: "../status" };
  await assert.rejects(channel.attestKey(key, signal), TypeError);
  assert.deepEqual(dialled, []);
});

Deno.test("goalState() is signed with a key and unsigned without", async () => {
  const xml = answer(
    "<GoalState/>",
    "HTTP/1.1 200 OK\r\ncontent-type: text/xml; charset=utf-8\r\n",
  );
  const { channel, sent } = stand(xml);
  const body = await channel.goalState(sampleKey(), signal);
  await channel.goalState(null, signal);
  assert.deepEqual(body, { syntax: "xml", text: "<GoalState/>" });
  // Vector V2.
  const signature = "2ca5e483fa0496c832cb85cdd58894691cb6fde26c6d03f0c227d1b6a8bdcdec";
  const unsigned = `GET /machine?comp=goalstate HTTP/1.1\r\n${WIRESERVER}${CLAIMS}` +
    "content-length: 0\r\nx-ms-version: 2012-11-30\r\n";
  const authorization =
    `x-ms-azure-host-authorization: Azure-HMAC-SHA256 ${SAMPLE_GUID} ${signature}\r\n`;
  assert.deepEqual(sent(), [`${unsigned}${authorization}\r\n`, `${unsigned}\r\n`]);
});

Deno.test("instance() asks IMDS", async () => {
  const { channel, sent, dialled } = stand(answer("{}"));
  assert.deepEqual(await channel.instance(sampleKey(), signal), { syntax: "json", text: "{}" });
  // Vector V3.
  const signature = "1340c2b8c9e840019708011fb49d096613cbcae9c3b909ce1fd30798cc1a4eac";
  assert.deepEqual(sent(), [
    `GET /metadata/instance?api-version=2018-02-01 HTTP/1.1\r\n${DATE}host: 169.254.169.254\r\n` +
    `${CLAIMS}content-length: 0\r\nmetadata: true\r\n` +
    `x-ms-azure-host-authorization: Azure-HMAC-SHA256 ${SAMPLE_GUID} ${signature}\r\n\r\n`,
  ]);
  assert.deepEqual(dialled, [ENDPOINTS.imds]);
});

Deno.test("sharedConfig() goes where the URL says, its escapes untouched", async () => {
  const cases: [string, string, SocketAddress][] = [
    [
      "http://168.63.129.16:80/machine/x.%5Fvm?comp=config&type=sharedConfig",
      "/machine/x.%5Fvm?comp=config&type=sharedConfig",
      { address: "168.63.129.16", port: 80 },
    ],
    ["http://10.0.0.1:32526", "/", { address: "10.0.0.1", port: 32526 }],
    ["HTTP://10.0.0.1?a=b", "/?a=b", { address: "10.0.0.1", port: 80 }],
  ];
  for (const [url, target, address] of cases) {
    const { channel, sent, dialled } = stand(answer("<x/>"));
    await channel.sharedConfig(url, null, signal);
    assert.ok(sent()[0]!.startsWith(`GET ${target} HTTP/1.1\r\n`), url);
    assert.ok(sent()[0]!.includes(`host: ${address.address}\r\n`), url);
    assert.deepEqual(dialled, [address]);
  }
});

Deno.test("sharedConfig() refuses what is not plain HTTP to IPv4", async () => {
  for (
    const url of [
      "https://168.63.129.16/x",
      "http://host.example/x",
      "http://[::1]/x",
      "http://10.0.0.1:0/x",
      "http://10.0.0.1:70000/x",
      "http://10.0.0.1/a b",
      "http://10.0.0.1/a#b",
      "http://user@10.0.0.1/",
      "",
    ]
  ) {
    const { channel, dialled } = stand();
    assert.equal(
      (await failure(channel.sharedConfig(url, null, signal))).code,
      "HOST_DOCUMENT",
      url,
    );
    assert.deepEqual(dialled, []);
  }
});

Deno.test("sendTelemetry() is never signed", async () => {
  const { channel, sent } = stand();
  await channel.sendTelemetry(new TextEncoder().encode("<x/>"), signal);
  assert.deepEqual(sent(), [
    `POST /machine/?comp=telemetrydata HTTP/1.1\r\n${WIRESERVER}${CLAIMS}` +
    "content-length: 4\r\nx-ms-version: 2012-11-30\r\ncontent-type: text/xml; charset=utf-8\r\n\r\n<x/>",
  ]);
});

Deno.test("sendTelemetry() and attestKey() go by the status, however the body ends", async () => {
  for (
    const rest of [
      "content-length: 100\r\n\r\nhalf",
      "content-length: 99999999\r\n\r\n",
      "transfer-encoding: chunked\r\n\r\nno chunk",
    ]
  ) {
    const { channel } = stand(`HTTP/1.1 200 OK\r\n${rest}`);
    await channel.sendTelemetry(new Uint8Array(1), signal);
    await channel.attestKey(sampleKey(), signal);
    const { channel: busy } = stand(`HTTP/1.1 503 Busy\r\n${rest}`);
    assert.equal(
      (await failure(busy.sendTelemetry(new Uint8Array(1), signal))).code,
      "HOST_STATUS",
    );
  }
});

Deno.test("a refusal carries how long the host wants to be left alone, an hour at most", async () => {
  for (
    const [field, retryAfterMs] of [
      ["120", 120_000],
      ["0", 0],
      ["999999999", 3_600_000],
      ["-1", undefined],
      ["1e3", undefined],
      ["Wed, 01 Jul 2026 12:00:00 GMT", undefined],
    ] as const
  ) {
    const { channel } = stand(
      `HTTP/1.1 429 Slow Down\r\nRetry-After: ${field}\r\ncontent-length: 0\r\n\r\n`,
    );
    const error = await failure(channel.sendTelemetry(new Uint8Array(1), signal));
    assert.equal(error.detail["retryAfterMs"], retryAfterMs, field);
    assert.equal(error.detail["status"], 429);
  }
});

Deno.test("goalState() refuses a charset that it cannot read", async () => {
  const { channel } = stand(
    answer("x", "HTTP/1.1 200 OK\r\ncontent-type: text/xml; charset=utf-32\r\n"),
  );
  assert.equal((await failure(channel.goalState(null, signal))).code, "HOST_DOCUMENT");
});

Deno.test("queryProvision() sends tick and wish to the listener", async () => {
  const { exchange, clock, sent, dialled } = stand(answer('{"finished":true,"errorMessage":"e"}'));
  const tick = 1767683289123456789n;
  const ask = (notify: boolean) =>
    queryProvision(ENDPOINTS.listener, tick, notify, exchange, clock, signal);
  assert.deepEqual(await ask(true), { finished: true, errorMessage: "e" });
  await ask(false);
  const head =
    `GET /provision HTTP/1.1\r\n${DATE}host: 127.0.0.1\r\n${CLAIMS}content-length: 0\r\n` +
    `metadata: true\r\nx-ms-azure-time-tick: ${tick}\r\n`;
  assert.deepEqual(sent(), [`${head}x-ms-azure-notify: true\r\n\r\n`, `${head}\r\n`]);
  assert.deepEqual(dialled, [ENDPOINTS.listener, ENDPOINTS.listener]);
});

Deno.test("queryProvision() does not take anything for an answer", async () => {
  const { exchange, clock } = stand(answer('{"finished":"yes"}'));
  const error = await failure(
    queryProvision(ENDPOINTS.listener, 1n, true, exchange, clock, signal),
  );
  assert.equal(error.code, "HOST_DOCUMENT");
});
