import assert from "node:assert/strict";
import type { AuditEntry } from "../../../../src/agent/audit/mod.ts";
import type { ResolvedCaller } from "../../../../src/agent/caller/mod.ts";
import { splitTarget } from "../../../../src/domain/canonical/mod.ts";
import { stringToSign } from "../../../../src/domain/endorsement/mod.ts";
import {
  compileItem,
  type EndpointPolicy,
  type Matching,
} from "../../../../src/domain/policy/mod.ts";
import { type AuthorizationItem, CHANNEL_UNKNOWN } from "../../../../src/domain/wire/mod.ts";
import type { StageTimes } from "../../../../src/agent/proxy/mod.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { ProxyStand, resolveToItself, STAND_DATE, until } from "../../../fakes/proxy_stand.ts";
import { sampleCaller, sampleKey } from "../../../fakes/sample_request.ts";

const GET =
  "GET /metadata/instance?api-version=1 HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\n\r\n";

/** Value of the last field of that name; null when there is none. */
function field(message: { headers: readonly (readonly [string, string])[] }, name: string) {
  return message.headers.findLast((each) => each[0] === name)?.[1] ?? null;
}

// ---- the good way

Deno.test("serve() forwards a permitted request, signed, and marks the answer", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send(GET);
  const response = await client.response();
  assert.equal(response.status, 200);
  assert.equal(new TextDecoder().decode(response.body), "ok");
  assert.equal(field(response, "x-ms-azure-host-authorization"), "value");
  assert.equal(field(response, "connection"), null);
  assert.ok(field(response, "date") !== null);

  const request = stand.host.requests[0]!;
  assert.equal(request.target, "/metadata/instance?api-version=1");
  assert.equal(field(request, "host"), "169.254.169.254");
  assert.equal(field(request, "metadata"), "true");
  assert.equal(field(request, "x-ms-azure-host-claims"), `{ "isRoot": "false"}`);
  assert.equal(field(request, "x-ms-azure-host-date"), STAND_DATE);
  assert.match(
    field(request, "x-ms-azure-host-authorization")!,
    /^Azure-HMAC-SHA256 5b1c7e2a-9d40-4c58-8f0e-3a6d2f917c44 [0-9a-f]{64}$/,
  );
});

Deno.test("serve() records a forwarded request once, with everything known of it", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send(GET);
  await client.response();
  assert.equal(stand.records.length, 1);
  const { elapsedMs, caller, ...record } = stand.records[0]!;
  assert.ok(elapsedMs >= 0);
  assert.equal(caller?.account?.userName, "somebody");
  assert.deepEqual(record, {
    requestId: 1,
    method: "GET",
    target: "/metadata/instance?api-version=1",
    client: client.address,
    destination: stand.imds,
    endpoint: "imds",
    decision: "allow",
    reason: null,
    mode: "enforce",
    policyEpoch: 3,
    status: 200,
    detail: "",
    signed: true,
    canonicalTarget: "/metadata/instance?api-version=1",
    ruleSetId: undefined,
    privilege: undefined,
    identity: undefined,
    compat: undefined,
    canonical: undefined,
    canonCode: null,
  });
});

/** From now on IMDS has rules: `somebody` may read `/metadata/instance`, nobody anything else. */
function ruleImds(stand: ProxyStand, matching: Matching): void {
  const item: AuthorizationItem = {
    defaultAccess: "deny",
    mode: "enforce",
    id: "the-rules",
    rules: {
      privileges: [{ name: "instance", path: "/metadata/instance", queryParameters: null }],
      roles: [{ name: "reader", privileges: ["instance"] }],
      identities: [
        { name: "some", userName: "somebody", groupName: null, exePath: null, processName: null },
      ],
      roleAssignments: [{ role: "reader", identities: ["some"] }],
    },
    source: new Map(),
  };
  const { compiled } = compileItem(item);
  const snapshot = stand.snapshot.get();
  const imds: EndpointPolicy = { kind: "rules", mode: "enforce", rules: compiled };
  const policy = {
    ...snapshot.policy,
    matching,
    endpoints: { ...snapshot.policy.endpoints, imds },
  };
  stand.snapshot.publish({ ...snapshot, policy });
}

Deno.test("serve() decides by rules and records what they said", async () => {
  await using stand = await ProxyStand.start();
  ruleImds(stand, "shadow");
  const ask = async (target: string) => {
    const client = await stand.client();
    await client.send(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`);
    const { status } = await client.response();
    const { reason, ruleSetId, privilege, identity, compat, canonical, canonCode } = stand.records
      .at(-1)!;
    return [status, reason, ruleSetId, privilege, identity, compat, canonical, canonCode];
  };
  assert.deepEqual(await ask("/Metadata/instance/compute"), [
    200,
    null,
    "the-rules",
    "instance",
    "some",
    "allow",
    "allow",
    null,
  ]);
  assert.deepEqual(await ask("/metadata/other"), [
    403,
    "default-denied",
    "the-rules",
    null,
    null,
    "deny",
    "deny",
    null,
  ]);
  assert.deepEqual(stand.logger.texts("warn"), []);
});

Deno.test("serve() tells of matchers that disagree, for a while, and in enforce refuses", async () => {
  await using stand = await ProxyStand.start();
  const ask = async () => {
    const client = await stand.client();
    await client.send("GET /metadata/instances HTTP/1.1\r\nHost: h\r\n\r\n");
    return (await client.response()).status;
  };
  ruleImds(stand, "shadow");
  for (let i = 0; i < 30; i++) assert.equal(await ask(), 200);
  const lines = stand.logger.texts("warn");
  assert.equal(
    lines[0],
    'CANON_DIVERGENCE mode=shadow rule_set=the-rules legacy=allow canon=deny uri="/metadata/instances"',
  );
  assert.ok(lines.length < 25, `${lines.length} lines`);
  ruleImds(stand, "enforce");
  assert.equal(await ask(), 403);
  assert.equal(stand.records.at(-1)!.reason, "matchers-disagree");
});

Deno.test("serve() withholds an answer whose record could not be made and has to be", async () => {
  const unrecorded = { status: 503, reason: "audit-unavailable", detail: "no log" } as const;
  for (const length of ["content-length: 6", "transfer-encoding: chunked"]) {
    await using stand = await ProxyStand.start({ unrecorded });
    stand.host.answer = (_request, end) =>
      end.write(`HTTP/1.1 200 OK\r\n${length}\r\n\r\n6\r\nsecret\r\n`);
    const client = await stand.client();
    await client.send("GET /metadata/identity HTTP/1.1\r\nHost: h\r\n\r\n");
    const text = await client.rest();
    assert.match(text, /^HTTP\/1.1 503 /);
    assert.doesNotMatch(text, /secret|x-ms-azure/);
  }
});

Deno.test("serve() tells an observer of each request once, and of 1 in 16 how long its stages took", async () => {
  const seen: { entry: AuditEntry; times: StageTimes | null }[] = [];
  await using stand = await ProxyStand.start({
    observer: { timesAll: false, observe: (entry, times) => void seen.push({ entry, times }) },
  });
  const client = await stand.client();
  await client.send(GET.repeat(17));
  for (let count = 0; count < 17; count++) await client.response();
  assert.deepEqual(seen.map(({ entry }) => entry), stand.records);
  assert.deepEqual(
    seen.flatMap(({ times }, index) => times === null ? [] : [index]),
    [0, 16],
  );
  const { received, attributed, decided, complete, endorsed } = seen[0]!.times!;
  assert.ok(received <= attributed && attributed <= decided && decided <= endorsed);
  assert.ok(Number.isNaN(complete), "there was no body to wait for");
});

Deno.test("serve() times the stages of each request for an observer that wants them all", async () => {
  const seen: (StageTimes | null)[] = [];
  await using stand = await ProxyStand.start({
    observer: { timesAll: true, observe: (_, times) => void seen.push(times) },
  });
  const client = await stand.client();
  await client.send(GET.repeat(3));
  for (let count = 0; count < 3; count++) await client.response();
  assert.deepEqual(seen.map((times) => times !== null), [true, true, true]);
});

Deno.test("serve() tells an observer what the caller got when a record could not be made", async () => {
  const unrecorded = { status: 503, reason: "audit-unavailable", detail: "no log" } as const;
  const seen: AuditEntry[] = [];
  await using stand = await ProxyStand.start({
    unrecorded,
    observer: { timesAll: false, observe: (entry) => void seen.push(entry) },
  });
  const client = await stand.client();
  await client.send(GET);
  assert.equal((await client.response()).status, 503);
  assert.deepEqual(
    seen.map(({ decision, reason, status }) => [decision, reason, status]),
    [["error", "audit-unavailable", 503]],
  );
});

Deno.test("serve() refuses what it cannot sign yet where the host enforces, or has not been heard", async () => {
  await using stand = await ProxyStand.start({ hasKey: false });
  const client = await stand.client();
  await client.send(GET);
  assert.equal((await client.response()).status, 503);
  assert.deepEqual([stand.records[0]!.reason, stand.records[0]!.decision], [
    "signing-failed",
    "error",
  ]);
  stand.snapshot.publish({ ...stand.snapshot.get(), channel: CHANNEL_UNKNOWN, targets: null });
  const other = await stand.client();
  await other.send(GET);
  assert.equal((await other.response()).status, 503);
  assert.equal(stand.records[1]!.reason, "policy-unavailable");
  assert.equal(stand.host.connections, 0);
});

Deno.test("serve() tells of a signed request that the host answers with 401, and of no other", async () => {
  let told = 0;
  const seen: number[] = [];
  for (const [hasKey, status] of [[true, 401], [true, 403], [true, 200], [false, 401]] as const) {
    await using stand = await ProxyStand.start({
      hasKey,
      mode: "audit",
      onSignatureRefused: () => told++,
    });
    stand.host.answer = (_request, end) =>
      end.write(`HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n`);
    const client = await stand.client();
    await client.send(GET);
    assert.equal((await client.response()).status, status);
    seen.push(told);
  }
  assert.deepEqual(seen, [1, 1, 1, 1]);
});

Deno.test("serve() forwards unsigned and says so while no key is latched", async () => {
  await using stand = await ProxyStand.start({ hasKey: false, mode: "audit" });
  // As after a restart: an earlier process's redirect is in force, and this one has decided nothing for want of a key.
  stand.snapshot.publish({ ...stand.snapshot.get(), targets: null });
  const client = await stand.client();
  await client.send(GET);
  assert.equal((await client.response()).status, 200);
  assert.equal(field(stand.host.requests[0]!, "x-ms-azure-host-authorization"), null);
  assert.equal(stand.records[0]!.signed, false);
});

Deno.test("serve() signs a body it has read as a whole, of declared length and chunked", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  await client.send("llo");
  assert.equal((await client.response()).status, 200);
  await client.send(
    "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
  );
  assert.equal((await client.response()).status, 200);
  await client.send("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  assert.equal((await client.response()).status, 200);
  await client.send("DELETE /d HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal((await client.response()).status, 200);
  const seen = stand.host.requests.map((request) => [
    request.target,
    new TextDecoder().decode(request.body),
    field(request, "content-length"),
    field(request, "transfer-encoding"),
  ]);
  assert.deepEqual(seen, [
    ["/a", "hello", "5", null],
    ["/b", "hello", null, "chunked"],
    ["/c", "", null, null],
    ["/d", "", null, null],
  ]);
  assert.equal(stand.records.every((record) => record.signed), true);
});

Deno.test("serve() signs exactly what the host receives", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  const requests = [
    "GET /a?B=2&a=1&&c HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two:  2\t\r\nEmpty:\r\nCookie: a=b\r\nConnection: keep-alive\r\n\r\n",
    "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\na\nb",
    "PUT /c?x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nTE: trailers\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "PATCH /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HEAD /e#f HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n",
  ];
  const { guid, secret } = sampleKey();
  for (const text of requests) {
    await client.send(text);
    assert.equal((await client.response(text.slice(0, 4))).status, 200);
    const { method, target, headers, body } = stand.host.requests.at(-1)!;
    const { path, query } = splitTarget(target);
    const signature = secret.mac(stringToSign({ method, path, query, headers, body }));
    assert.equal(
      field({ headers }, "x-ms-azure-host-authorization"),
      `Azure-HMAC-SHA256 ${guid} ${signature}`,
      text,
    );
  }
});

Deno.test("serve() takes a chunked body with trailers without them", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send(
    "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n2\r\nhe\r\n0\r\nx: y\r\n\r\n",
  );
  assert.equal((await client.response()).status, 200);
  assert.equal(new TextDecoder().decode(stand.host.requests[0]!.body), "he");
  assert.equal(field(stand.host.requests[0]!, "x"), null);
});

Deno.test("serve() answers 100 pipelined requests in order, each with one record", async () => {
  await using stand = await ProxyStand.start();
  stand.host.answer = (request, end) =>
    end.write(
      `HTTP/1.1 200 OK\r\ncontent-length: ${request.target.length}\r\n\r\n${request.target}`,
    );
  const client = await stand.client();
  let all = "";
  for (let i = 0; i < 100; i++) all += `GET /${i} HTTP/1.1\r\nHost: h\r\n\r\n`;
  await client.send(all);
  for (let i = 0; i < 100; i++) {
    assert.equal(new TextDecoder().decode((await client.response()).body), `/${i}`);
  }
  assert.equal(stand.records.length, 100);
  assert.deepEqual(
    stand.records.map((record) => record.requestId),
    [...Array(100).keys()].map((i) => i + 1),
  );
});

Deno.test("serve() strips x-ms-azure-host-* of callers on every path", async () => {
  const lies = "X-Ms-Azure-Host-Authorization: Azure-HMAC-SHA256 a b\r\n" +
    'x-ms-azure-host-claims: { "isRoot": "true"}\r\nX-MS-AZURE-HOST-DATE: never\r\nx-ms-azure-host-other: x\r\n';
  const paths: [string, Parameters<typeof ProxyStand.start>[0], string, number][] = [
    ["signed", {}, `GET /a HTTP/1.1\r\nHost: h\r\n${lies}\r\n`, 1000],
    [
      "not latched",
      { hasKey: false, mode: "audit" },
      `GET /a HTTP/1.1\r\nHost: h\r\n${lies}\r\n`,
      1000,
    ],
    ["audit", { mode: "audit" }, `GET /a HTTP/1.1\r\nHost: h\r\n${lies}\r\n`, 1000],
    [
      "exempt",
      {},
      `PUT /vmAgentLog HTTP/1.1\r\nHost: h\r\ncontent-length: 1\r\n${lies}\r\nx`,
      0,
    ],
  ];
  for (const [what, options, text, uid] of paths) {
    await using stand = await ProxyStand.start(options);
    if (what !== "signed") {
      stand.everybodyIs({ uid, destination: stand.wireserver });
    }
    const client = await stand.client();
    await client.send(text);
    assert.equal((await client.response("PUT")).status, 200, what);
    const raw = new TextDecoder().decode(stand.host.requests[0]!.rawHead).toLowerCase();
    assert.doesNotMatch(raw, /never|host-other|sha256 a b/, what);
    assert.equal(raw.split("x-ms-azure-host-claims").length, 2, what);
    assert.equal(raw.includes(`"isroot": "true"`), uid === 0, what);
  }
});

Deno.test("serve() drops persistence fields of the caller's connection and passes other ones", async () => {
  await using stand = await ProxyStand.start();
  for (
    const [sent, seen] of [["close", null], ["Keep-Alive", null], [
      "Upgrade, HTTP2-Settings",
      "Upgrade, HTTP2-Settings",
    ]]
  ) {
    const client = await stand.client();
    await client.send(
      `GET /a HTTP/1.1\r\nHost: h\r\nConnection: ${sent}\r\nKeep-Alive: timeout=1\r\nUpgrade: h2c\r\n\r\n`,
    );
    await client.response();
    const request = stand.host.requests.at(-1)!;
    assert.equal(field(request, "connection"), seen);
    assert.equal(field(request, "keep-alive"), null);
    assert.equal(field(request, "upgrade"), "h2c");
  }
  assert.equal(stand.host.connections, 1);
});

// ---- answers of the host

for (
  const [what, method, answer, expected] of [
    ["HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n", {
      status: 200,
      length: "77",
    }],
    ["HEAD without a length", "HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", {
      status: 200,
      length: null,
    }],
    ["204", "GET", "HTTP/1.1 204 No Content\r\netag: x\r\n\r\n", { status: 204, length: null }],
    ["304", "GET", "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", { status: 304, length: null }],
    [
      "an interim answer before",
      "GET",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n",
      { status: 201, length: "0" },
    ],
    ["an error of the host", "GET", "HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nbad", {
      status: 400,
      length: "3",
    }],
  ] as const
) {
  Deno.test(`serve() passes on ${what}`, async () => {
    await using stand = await ProxyStand.start();
    stand.host.answer = (_request, end) => end.write(answer);
    const client = await stand.client();
    for (let i = 0; i < 2; i++) {
      await client.send(`${method} /a HTTP/1.1\r\nHost: h\r\n\r\n`);
      const response = await client.response(method);
      assert.equal(response.status, expected.status);
      assert.equal(field(response, "content-length"), expected.length);
      assert.equal(field(response, "x-ms-azure-host-authorization"), "value");
    }
    assert.equal(stand.records.length, 2);
    assert.equal(stand.records[1]!.status, expected.status);
  });
}

Deno.test("serve() relays 101 and lets the connection be closed", async () => {
  await using stand = await ProxyStand.start();
  stand.host.answer = (_request, end) =>
    end.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
  const client = await stand.client();
  await client.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
  const response = await client.response();
  assert.equal(response.status, 101);
  assert.equal(field(response, "upgrade"), "x");
});

Deno.test("serve() streams a large answer and bounds what waits for a caller that does not read", async () => {
  await using stand = await ProxyStand.start();
  const total = 40_000_000;
  let written = 0;
  stand.host.answer = async (_request, end) => {
    await end.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
    for (; written < total; written += 100_000) await end.write(new Uint8Array(100_000));
  };
  const client = await stand.client();
  await client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
  let before = -1;
  await until(() => {
    const isStill = written > 0 && written === before;
    before = written;
    return isStill;
  });
  assert.ok(written < 30_000_000, `only buffers of the system filled up: ${written}`);
  assert.ok(Deno.memoryUsage().external < 50_000_000);
  let read = 0;
  while (read < total) read += (await client.some())!.length;
  assert.equal(stand.records[0]!.status, 200);
});

Deno.test("serve() streams a chunked answer piece by piece", async () => {
  await using stand = await ProxyStand.start();
  let go = () => {};
  const wait = new Promise<void>((resolve) => go = resolve);
  stand.host.answer = async (_request, end) => {
    await end.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n");
    await wait;
    await end.write("2\r\ncd\r\n0\r\ntrailer: x\r\n\r\n");
  };
  const client = await stand.client();
  await client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  let text = "";
  while (!text.includes("ab")) text += await client.some();
  assert.match(text, /transfer-encoding: chunked/i);
  go();
  while (!text.includes("0\r\n\r\n")) text += await client.some();
  assert.match(text, /cd/);
  assert.doesNotMatch(text, /trailer/);
});

Deno.test("serve() breaks the caller's connection off when the host cuts a streamed body short", async () => {
  await using stand = await ProxyStand.start();
  stand.host.answer = async (_request, end) => {
    await end.write("HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n");
    await end.write(new Uint8Array(100_000));
    end.close();
  };
  const client = await stand.client();
  await client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  const text = await client.rest();
  assert.ok(text.length < 150_000);
  assert.equal(stand.records.length, 1);
});

Deno.test("serve() answers 503 when the host cuts a small body short", async () => {
  await using stand = await ProxyStand.start();
  stand.host.answer = async (_request, end) => {
    await end.write("HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\nx");
    end.close();
  };
  const client = await stand.client();
  await client.send(GET);
  const response = await client.response();
  assert.equal(response.status, 503);
  assert.equal(field(response, "x-ms-azure-host-authorization"), null);
  assert.equal(stand.records[0]!.reason, "upstream-failed");
  assert.equal(stand.records[0]!.decision, "error");
});

Deno.test("serve() answers 503 to a status that cannot be relayed", async () => {
  await using stand = await ProxyStand.start();
  stand.host.answer = (_request, end) =>
    end.write("HTTP/1.1 777 Odd\r\ncontent-length: 100000\r\n\r\nx");
  const client = await stand.client();
  await client.send(GET);
  assert.equal((await client.response()).status, 503);
  assert.equal(stand.records[0]!.detail, "the host answered with status 777");
});

Deno.test("serve() answers 502 when the host cannot be reached", async () => {
  await using stand = await ProxyStand.start();
  stand.host.stopListening();
  const client = await stand.client();
  await client.send(GET);
  assert.equal((await client.response()).status, 502);
  assert.equal(stand.records[0]!.reason, "upstream-unreachable");
});

Deno.test("serve() answers 503 when the host is slow with a head", async () => {
  await using stand = await ProxyStand.start({ upstream: { headMs: 40 } });
  stand.host.answer = () => {};
  const client = await stand.client();
  await client.send(GET);
  assert.equal((await client.response()).status, 503);
  assert.equal(stand.records[0]!.reason, "upstream-timeout");
});

Deno.test("serve() opens no connection to the host for a refused request", async () => {
  await using stand = await ProxyStand.start();
  stand.everybodyIs({ destination: stand.wireserver });
  const client = await stand.client();
  await client.send("POST /a HTTP/1.1\r\nHost: h\r\ncontent-length: 5\r\n\r\nhello");
  const response = await client.response();
  assert.equal(response.status, 403);
  assert.equal(response.body.length, 0);
  assert.equal(field(response, "connection"), "close");
  assert.equal(field(response, "content-length"), "0");
  assert.equal(field(response, "x-ms-azure-host-authorization"), null);
  assert.equal(stand.host.connections, 0);
  const record = stand.records[0]!;
  assert.deepEqual([record.decision, record.reason, record.status, record.endpoint], [
    "deny",
    "not-elevated",
    403,
    "wireserver",
  ]);
});

Deno.test("serve() forwards in Audit what Enforce would refuse, and flags it", async () => {
  await using stand = await ProxyStand.start({ mode: "audit" });
  stand.everybodyIs({ destination: stand.wireserver });
  const client = await stand.client();
  await client.send(GET);
  assert.equal((await client.response()).status, 200);
  const record = stand.records[0]!;
  assert.deepEqual([record.decision, record.reason, record.mode, record.status], [
    "flag",
    "not-elevated",
    "audit",
    200,
  ]);
});

// ---- callers that leave, wait or send too much

Deno.test("serve() gives the host's answer up when the caller leaves before it", async () => {
  await using stand = await ProxyStand.start({ upstream: { slowMs: 10 } });
  stand.host.answer = () => {};
  const client = await stand.client();
  await client.send(GET);
  await until(() => stand.host.requests.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 40));
  // The kernel forgets a connection with its socket.
  stand.redirector.knowEveryone({ kind: "unattributed" });
  client.close();
  await until(() => stand.host.ended === 1);
  await until(() => stand.records.length === 1);
  assert.equal(stand.records[0]!.status, 0);
  assert.equal(stand.records[0]!.decision, "error");
});

Deno.test("serve() gives the host's stream up when the caller leaves", async () => {
  await using stand = await ProxyStand.start();
  stand.host.answer = async (_request, end) => {
    await end.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for (;;) await end.write(`10000\r\n${"x".repeat(65_536)}\r\n`);
  };
  const client = await stand.client();
  await client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  await client.some();
  client.close();
  await until(() => stand.host.ended === 1);
  assert.equal(stand.records.length, 1);
});

Deno.test("serve() refuses an announced body over the limit before it reads any of it", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send("POST /a HTTP/1.1\r\nHost: h\r\ncontent-length: 102401\r\n\r\n");
  const response = await client.response();
  assert.equal(response.status, 413);
  assert.equal(new TextDecoder().decode(response.body), "length limit exceeded");
  assert.equal(field(response, "content-type"), "text/plain; charset=utf-8");
  assert.equal(field(response, "connection"), "close");
  assert.equal(stand.records[0]!.reason, "body-too-large");
});

Deno.test("serve() takes a body of exactly the limit", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send(
    `POST /a HTTP/1.1\r\nHost: h\r\ncontent-length: 102400\r\n\r\n${"x".repeat(102_400)}`,
  );
  assert.equal((await client.response()).status, 200);
  assert.equal(stand.host.requests[0]!.body.length, 102_400);
});

Deno.test("serve() refuses a body that grows over the limit, and forwards none of it", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send("POST /a HTTP/1.1\r\nHost: h\r\ntransfer-encoding: chunked\r\n\r\n");
  await client.send(`19001\r\n${"x".repeat(102_401)}\r\n0\r\n\r\n`);
  assert.equal((await client.response()).status, 413);
  assert.equal(stand.host.connections, 0);
  assert.deepEqual([stand.records.length, stand.records[0]!.reason], [1, "body-too-large"]);
});

Deno.test("serve() refuses the larger body of an upload where nothing is exempt", async () => {
  await using stand = await ProxyStand.start();
  stand.everybodyIs({ uid: 0 }); // IMDS
  const client = await stand.client();
  await client.send("PUT /vmAgentLog HTTP/1.1\r\nHost: h\r\ncontent-length: 200000\r\n\r\n");
  assert.equal((await client.response()).status, 413);
  assert.equal(stand.records[0]!.endpoint, "imds");
});

Deno.test("serve() streams an exempt upload, unsigned, while it arrives", async () => {
  await using stand = await ProxyStand.start();
  stand.everybodyIs({ uid: 0, destination: stand.wireserver });
  const client = await stand.client();
  await client.send("PUT /vmAgentLog HTTP/1.1\r\nHost: h\r\ncontent-length: 300000\r\n\r\n");
  await client.send(new Uint8Array(100_000));
  await until(() => stand.host.connections === 1);
  await client.send(new Uint8Array(200_000));
  assert.equal((await client.response()).status, 200);
  assert.equal(stand.host.requests[0]!.body.length, 300_000);
  assert.equal(field(stand.host.requests[0]!, "x-ms-azure-host-authorization"), null);
  assert.equal(stand.records[0]!.signed, false);
  assert.equal(stand.records[0]!.decision, "allow");
});

Deno.test("serve() lets an exempt upload without a body pass", async () => {
  await using stand = await ProxyStand.start();
  stand.everybodyIs({ uid: 0, destination: stand.wireserver });
  const client = await stand.client();
  await client.send("POST /machine/?comp=telemetrydata HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal((await client.response()).status, 200);
});

Deno.test("serve() ends an exempt upload whose caller leaves in the middle", async () => {
  await using stand = await ProxyStand.start();
  stand.everybodyIs({ uid: 0, destination: stand.wireserver });
  const client = await stand.client();
  await client.send("PUT /vmAgentLog HTTP/1.1\r\nHost: h\r\ncontent-length: 300000\r\n\r\nabc");
  await until(() => stand.host.connections === 1);
  stand.redirector.knowEveryone({ kind: "unattributed" });
  client.close();
  await until(() => stand.records.length === 1 && stand.host.ended === 1);
  assert.equal(stand.host.requests.length, 0);
  assert.deepEqual([stand.records[0]!.reason, stand.records[0]!.status], ["body-incomplete", 0]);
});

Deno.test("serve() bounds the pause within a body", async () => {
  for (const target of ["/a", "/vmAgentLog"]) {
    await using stand = await ProxyStand.start({ limits: { bodyIdleMs: 30 } });
    stand.everybodyIs({ uid: 0, destination: stand.wireserver });
    const client = await stand.client();
    await client.send(`PUT ${target} HTTP/1.1\r\nHost: h\r\ncontent-length: 5\r\n\r\nab`);
    assert.equal((await client.response()).status, 408);
    assert.deepEqual([stand.records[0]!.reason, stand.records[0]!.status], ["body-timeout", 408]);
    assert.equal(stand.host.requests.length, 0);
  }
});

Deno.test("serve() forwards nothing of a body that breaks off", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send("POST /a HTTP/1.1\r\nHost: h\r\ncontent-length: 10\r\n\r\nab");
  await until(() => stand.proxy.requestCount === 1);
  stand.redirector.knowEveryone({ kind: "unattributed" });
  client.close();
  await until(() => stand.records.length === 1);
  assert.deepEqual([stand.records[0]!.reason, stand.records[0]!.status], ["body-incomplete", 0]);
  assert.equal(stand.host.connections, 0);
});

Deno.test("serve() sends nothing to the host before a slow caller's body is complete", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send("POST /a HTTP/1.1\r\nHo");
  await client.send("st: h\r\ncontent-length: 4\r\n\r\n");
  for (const piece of ["a", "b", "c"]) {
    await client.send(piece);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(stand.host.connections, 0);
  await client.send("d");
  assert.equal((await client.response()).status, 200);
});

Deno.test("serve() lets a caller that expects 100 send its body, and passes the field on", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send(
    "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
  );
  assert.match((await client.some())!, /^HTTP\/1.1 100 Continue\r\n\r\n$/);
  await client.send("hi");
  assert.equal((await client.response()).status, 200);
  assert.equal(field(stand.host.requests[0]!, "expect"), "100-continue");
});

// ---- guards

for (
  const [status, reason, text] of [
    [405, "method-not-allowed", "TRACE /a HTTP/1.1\r\nHost: h\r\n\r\n"],
    [405, "method-not-allowed", "BREW /provision HTTP/1.1\r\nHost: h\r\n\r\n"],
    [405, "method-not-allowed", "get /a HTTP/1.1\r\nHost: h\r\n\r\n"],
    [403, "path-traversal", "GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n"],
    [403, "path-traversal", "GET /a/%2e%2E/b HTTP/1.1\r\nHost: h\r\n\r\n"],
    [403, "path-traversal", "GET //a HTTP/1.1\r\nHost: h\r\n\r\n"],
    [403, "ambiguous-target", "GET http://other/a HTTP/1.1\r\nHost: h\r\n\r\n"],
    [403, "ambiguous-target", "GET https://h/a HTTP/1.1\r\nHost: h\r\n\r\n"],
    [403, "ambiguous-target", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"],
    [400, "header-not-ascii", "GET /a HTTP/1.1\r\nHost: h\r\nx: \xe9\r\n\r\n"],
    [400, "bad-request", "GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n"],
    [400, "bad-request", "GET foo HTTP/1.1\r\nHost: h\r\n\r\n"],
    [400, "bad-request", "GET /a HTTP/2.0\r\nHost: h\r\n\r\n"],
    [400, "bad-request", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    [400, "bad-request", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"],
    [400, "bad-request", "GET /a HTTP/1.1\r\nHost : h\r\n\r\n"],
    [400, "bad-request", "GET /a HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n"],
    [400, "bad-request", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"],
    [414, "bad-request", `GET /${"a".repeat(65_534)} HTTP/1.1\r\nHost: h\r\n\r\n`],
    [431, "head-too-large", `GET /a HTTP/1.1\r\n${"x: y\r\n".repeat(101)}\r\n`],
    [
      400,
      "bad-request",
      "POST /a HTTP/1.1\r\nHost: h\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
  ] as const
) {
  for (const mode of ["enforce", "audit"] as const) {
    Deno.test(`serve() refuses ${JSON.stringify(text.slice(0, 45))} with ${status} in ${mode}`, async () => {
      await using stand = await ProxyStand.start({ mode });
      const client = await stand.client();
      await client.send(text);
      const response = await client.response();
      assert.equal(response.status, status);
      assert.equal(field(response, "connection"), "close");
      assert.equal(stand.host.connections, 0);
      assert.deepEqual(
        stand.records.map((record) => [record.reason, record.status, record.decision]),
        [
          [reason, status, "deny"],
        ],
      );
    });
  }
}

Deno.test("serve() says in a 405 which methods there are", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send("TRACE /a HTTP/1.1\r\nHost: h\r\n\r\n");
  const response = await client.response();
  assert.equal(field(response, "allow"), "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
  assert.equal(field(response, "content-type"), "text/plain; charset=utf-8");
  assert.equal(new TextDecoder().decode(response.body), "Method Not Allowed");
});

Deno.test("serve() refuses a request with two framings, whoever notices", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send(
    "POST /a HTTP/1.1\r\nHost: h\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  );
  assert.equal((await client.response()).status, 400);
  assert.equal(stand.host.connections, 0);
});

Deno.test("serve() answers a target over its limit without forwarding it, whoever notices", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send(`GET /${"a".repeat(65_600)} HTTP/1.1\r\nHost: h\r\n\r\n`);
  assert.ok([400, 414].includes((await client.response()).status));
  assert.equal(stand.host.connections, 0);
});

Deno.test("serve() takes an absolute-form target of the endpoint dialled for its origin form", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  for (const path of ["/a?b", "/provision"]) {
    await client.send(`GET http://169.254.169.254${path} HTTP/1.1\r\nHost: h\r\n\r\n`);
    assert.equal((await client.response()).status, 200);
    assert.equal(stand.host.requests.at(-1)!.target, path, "it is none of the agent's own paths");
  }
  stand.everybodyIs({ uid: 0, destination: stand.wireserver });
  const other = await stand.client();
  await other.send("GET http://169.254.169.254/a HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal((await other.response()).status, 403);
  assert.equal(stand.records.at(-1)!.reason, "ambiguous-target");
});

Deno.test("serve() forwards a request without Host, and drops fragments", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await client.send("GET /a?b#c HTTP/1.1\r\n\r\n");
  assert.equal((await client.response()).status, 200);
  assert.equal(stand.host.requests[0]!.target, "/a?b");
  assert.equal(field(stand.host.requests[0]!, "host"), null);
});

// ---- who is calling

Deno.test("serve() refuses direct and unattributed connections", async () => {
  await using stand = await ProxyStand.start();
  for (
    const [attribution, reason] of [
      [{ kind: "direct", uid: 0 }, "direct-connection"],
      [{ kind: "unattributed" }, "unattributed"],
    ] as const
  ) {
    stand.redirector.knowEveryone(attribution);
    const client = await stand.client();
    await client.send(GET);
    assert.equal((await client.response()).status, 421);
    const record = stand.records.at(-1)!;
    assert.deepEqual([record.reason, record.decision, record.destination, record.caller], [
      reason,
      "deny",
      null,
      null,
    ]);
  }
  assert.equal(stand.host.connections, 0);
});

Deno.test("serve() refuses destinations that are no endpoint", async () => {
  await using stand = await ProxyStand.start();
  for (
    const [destination, status, reason] of [
      [{ address: "10.0.0.1", port: 80 }, 421, "unknown-destination"],
      [{ address: "127.0.0.1", port: 0 }, 403, "agent-listener"],
    ] as const
  ) {
    stand.everybodyIs({ destination, uid: 0 });
    const client = await stand.client();
    await client.send(GET);
    assert.equal((await client.response()).status, status);
    assert.equal(stand.records.at(-1)!.reason, reason);
    assert.equal(stand.records.at(-1)!.caller?.elevated, true);
  }
  assert.equal(stand.host.connections, 0);
});

Deno.test("serve() resolves the caller once for a connection and checks it for each later request", async () => {
  let resolved = 0;
  let checked = 0;
  await using stand = await ProxyStand.start({
    resolver: {
      resolve: (record) => {
        resolved++;
        return Promise.resolve({
          caller: sampleCaller(record),
          check: () => {
            checked++;
            return "same" as const;
          },
        });
      },
    },
  });
  const client = await stand.client();
  for (let i = 0; i < 3; i++) {
    await client.send(GET);
    assert.equal((await client.response()).status, 200);
  }
  assert.deepEqual([resolved, checked], [1, 2]);
});

Deno.test("serve() refuses a caller that has ended, and resolves one anew that has changed", async () => {
  let state: ReturnType<ResolvedCaller["check"]> = "same";
  let resolved = 0;
  await using stand = await ProxyStand.start({
    resolver: {
      resolve: (record) => {
        resolved++;
        return { caller: sampleCaller(record), check: () => state };
      },
    },
  });
  const client = await stand.client();
  await client.send(GET);
  await client.response();
  state = "changed";
  await client.send(GET);
  assert.equal((await client.response()).status, 200);
  assert.equal(resolved, 2);
  state = "gone";
  await client.send(GET);
  assert.equal((await client.response()).status, 421);
  assert.equal(stand.records.at(-1)!.reason, "caller-gone");
});

Deno.test("serve() keeps what the kernel said of a connection for as long as it is open", async () => {
  await using stand = await ProxyStand.start({ resolver: { resolve: resolveToItself } });
  stand.everybodyIs({ cookie: 1n, uid: 0, destination: stand.wireserver });
  const client = await stand.client();
  await client.send(GET);
  assert.equal((await client.response()).status, 200);
  stand.everybodyIs({ cookie: 2n, uid: 1000, destination: stand.wireserver });
  await client.send(GET);
  assert.equal((await client.response()).status, 200);
  const later = await stand.client();
  await later.send(GET);
  assert.equal((await later.response()).status, 403);
  assert.equal(stand.records.at(-1)!.caller?.record.uid, 1000);
});

Deno.test("serve() asks the kernel who connected when the connection is accepted", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  await until(() => stand.proxy.connectionCount === 1);
  // By the time of the first request the caller may have closed, and the kernel has forgotten it.
  stand.redirector.knowEveryone({ kind: "unattributed" });
  await client.send(GET);
  assert.equal((await client.response()).status, 200);
  const { tgid } = stand.records[0]!.caller!.record.process;
  await Promise.all([stand.client(), stand.client()]);
  await until(() => stand.proxy.connectionCount === 3);
  stand.everybodyIs({});
  await Promise.all([stand.client(), stand.client()]);
  await until(() => stand.proxy.connectionCount === 5);
  assert.equal(stand.proxy.connectionsOf(tgid, 9).length, 3);
  assert.equal(stand.proxy.connectionsOf(tgid, 2).length, 2);
});

Deno.test("serve() asks the kernel again for a connection it did not know", async () => {
  await using stand = await ProxyStand.start();
  stand.redirector.knowEveryone({ kind: "unattributed" });
  const client = await stand.client();
  await client.send("GET /provision HTTP/1.1\r\nHost: h\r\nMetadata: x\r\n\r\n");
  assert.equal((await client.response()).status, 200);
  stand.everybodyIs({});
  await client.send(GET);
  assert.equal((await client.response()).status, 200);
});

// ---- the agent's own paths

Deno.test("serve() answers /provision to anybody who sends Metadata", async () => {
  await using stand = await ProxyStand.start();
  stand.redirector.knowEveryone({ kind: "unattributed" });
  const client = await stand.client();
  await client.send(
    "GET /provision HTTP/1.1\r\nHost: h\r\nMetadata: x\r\nx-ms-azure-time-tick: 5\r\n\r\n",
  );
  const response = await client.response();
  assert.equal(new TextDecoder().decode(response.body), `{"finished":true,"errorMessage":""}`);
  assert.equal(field(response, "content-type"), "application/json; charset=utf-8");
  assert.equal(field(response, "content-length"), "35");
  assert.equal(field(response, "x-ms-azure-host-authorization"), null);
  assert.equal(field({ headers: stand.provisionHeaders }, "x-ms-azure-time-tick"), "5");
  await client.send("GET /provision? HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal((await client.response()).status, 400);
  assert.deepEqual(stand.records.map((record) => [record.decision, record.reason, record.status]), [
    ["allow", null, 200],
    ["deny", "metadata-header-missing", 400],
  ]);
});

Deno.test("serve() says who asks for /provision, as far as the kernel knows", async () => {
  await using stand = await ProxyStand.start();
  const asking = [
    [{ kind: "unattributed" }, null],
    [{ kind: "direct", uid: 1000 }, 1000],
    [{ kind: "direct", uid: 0 }, 0],
  ] as const;
  for (const [attribution, uid] of asking) {
    stand.redirector.knowEveryone(attribution);
    const client = await stand.client();
    await client.send("GET /provision HTTP/1.1\r\nHost: h\r\nMetadata: x\r\n\r\n");
    assert.equal((await client.response()).status, 200);
    assert.equal(stand.provisionUid, uid);
  }
  stand.everybodyIs({ uid: 33 });
  const client = await stand.client();
  await client.send("GET /provision HTTP/1.1\r\nHost: h\r\nMetadata: x\r\n\r\n");
  await client.response();
  assert.equal(stand.provisionUid, 33);
});

Deno.test("serve() forwards what only looks like one of its own paths", async () => {
  await using stand = await ProxyStand.start();
  const client = await stand.client();
  for (const target of ["/provision/", "/provision?x", "/Provision", "/gpa-aggregated-status/"]) {
    await client.send(`GET ${target} HTTP/1.1\r\nHost: h\r\nMetadata: x\r\n\r\n`);
    await client.response();
  }
  assert.equal(stand.host.requests.length, 4);
});

Deno.test("serve() answers the status to root alone, redirected or direct", async () => {
  await using stand = await ProxyStand.start();
  const ask = async (metadata = "Metadata: x\r\n") => {
    const client = await stand.client();
    await client.send(`GET /gpa-aggregated-status HTTP/1.1\r\nHost: h\r\n${metadata}\r\n`);
    return await client.response();
  };
  stand.everybodyIs({ uid: 0, destination: stand.wireserver });
  const response = await ask();
  assert.equal(new TextDecoder().decode(response.body), `{"status":"here"}`);
  assert.equal(stand.records.at(-1)!.caller?.elevated, true);
  assert.equal((await ask("")).status, 400);
  stand.everybodyIs({ uid: 1000, destination: stand.wireserver });
  assert.equal((await ask()).status, 403);
  assert.equal(stand.records.at(-1)!.reason, "status-needs-elevated");
  stand.redirector.knowEveryone({ kind: "direct", uid: 0 });
  assert.equal((await ask()).status, 200);
  assert.equal((await ask("")).status, 400);
  stand.redirector.knowEveryone({ kind: "direct", uid: 1000 });
  assert.equal((await ask()).status, 403);
  stand.redirector.knowEveryone({ kind: "unattributed" });
  assert.equal((await ask()).status, 403);
  assert.equal(stand.records.length, 7);
  assert.equal(stand.host.connections, 0);
});

// ---- faults of the agent's own

for (
  const [what, resolver] of [
    ["throws", () => {
      throw new Error("out of order");
    }],
    ["rejects", () => Promise.reject(new Error("out of order"))],
    ["fails with a code", () => Promise.reject(new AgentError("ERRNO", "read something"))],
  ] as const
) {
  Deno.test(`serve() answers 500 and forwards nothing when a part ${what}`, async () => {
    await using stand = await ProxyStand.start({ resolver: { resolve: resolver } });
    const client = await stand.client();
    await client.send(GET);
    const response = await client.response();
    assert.equal(response.status, 500);
    assert.equal(response.body.length, 0);
    assert.equal(stand.host.connections, 0);
    assert.deepEqual(
      stand.records.map((record) => [record.decision, record.reason, record.status]),
      [
        ["error", "internal-error", 500],
      ],
    );
    assert.equal(stand.logger.texts("error").length, 1);
  });
}

Deno.test("serve() refuses rather than sends what cannot be signed", async () => {
  await using stand = await ProxyStand.start();
  const { key, ...snapshot } = stand.snapshot.get();
  assert.ok(key !== null);
  stand.snapshot.publish({ ...snapshot, key: { ...key, guid: "line\r\nbreak" } });
  const client = await stand.client();
  await client.send(GET);
  assert.equal((await client.response()).status, 500);
  assert.equal(stand.host.requests.length, 0);
});

Deno.test("serve() answers HEAD refusals without a body", async () => {
  await using stand = await ProxyStand.start();
  stand.redirector.knowEveryone({ kind: "unattributed" });
  const client = await stand.client();
  await client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
  const response = await client.response("HEAD");
  assert.equal(response.status, 421);
  assert.equal(field(response, "content-length"), null);
});
