import assert from "node:assert/strict";
import {
  type HostOptions,
  parseFaults,
  type Simulator,
  startSimulator,
} from "../../../src/simulator/mod.ts";
import type { AgentError } from "../../../src/runtime/errors.ts";
import { RawClient } from "../../fakes/raw_client.ts";
import { agentKey } from "../../fakes/sample_host_request.ts";
import { formatHostDate, ownRequest } from "../../../src/domain/endorsement/mod.ts";
import { encodeRequestMessage } from "../../../src/agent/http1/mod.ts";

const LOOPBACK = { address: "127.0.0.1", port: 0 };
const OPEN = { version: "1.0", secureChannelState: "Disabled" };
const VERSIONS = "GET /metadata/versions HTTP/1.1\r\nMetadata: true\r\n";

function start(options: Partial<HostOptions> = { policy: OPEN }): Promise<Simulator> {
  const addresses = { wireserver: LOOPBACK, hostga: LOOPBACK, imds: LOOPBACK, control: null };
  return startSimulator(addresses, options);
}

/** Plays one client of IMDS. */
async function withClient(
  play: (client: RawClient, simulator: Simulator) => Promise<void>,
  options?: Partial<HostOptions>,
): Promise<void> {
  await using simulator = await start(options);
  using client = await RawClient.connect(simulator.addresses.imds);
  await play(client, simulator);
}

function arm(simulator: Simulator, ...faults: unknown[]): void {
  const parsed = parseFaults(faults);
  assert.ok(parsed.ok);
  simulator.host.faults.set(parsed.value);
}

const statuses = (simulator: Simulator) =>
  simulator.host.journal.read(0, 100).map((entry) => entry.status);

Deno.test("a connection is kept, and requests are answered one after the other", () =>
  withClient(async (client, simulator) => {
    for (let times = 0; times < 3; times++) {
      await client.send(`${VERSIONS}\r\n`);
      const { status, headers, reason } = await client.response();
      assert.deepEqual([status, reason], [200, "OK"]);
      assert.ok(headers.some(([name]) => name === "date"));
    }
    assert.deepEqual(statuses(simulator), [200, 200, 200]);
  }));

Deno.test("pipelined requests are answered in order, slow ones included", () =>
  withClient(async (client, simulator) => {
    arm(simulator, { kind: "slow", ms: 40, path: "/metadata/versions", count: 1 });
    await client.send(`${VERSIONS}\r\nGET /metadata/x HTTP/1.1\r\n\r\n${VERSIONS}\r\n`);
    const answered = [];
    for (let times = 0; times < 3; times++) answered.push((await client.response()).status);
    assert.deepEqual(answered, [200, 400, 200]);
    const faults = simulator.host.journal.read(0, 9).map((entry) => entry.fault);
    assert.deepEqual(faults, ["slow", null, null]);
  }));

Deno.test("a request may come byte by byte", () =>
  withClient(async (client) => {
    for (const character of `\r\n${VERSIONS}\r\n`) await client.send(character);
    assert.equal((await client.response()).status, 200);
  }));

Deno.test("bodies of both framings are taken, and the next request found behind them", () =>
  withClient(async (client, simulator) => {
    await client.send(
      "POST /metadata/x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello" +
        "POST /metadata/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nT: r\r\n\r\n" +
        `${VERSIONS}\r\n`,
    );
    for (let times = 0; times < 3; times++) await client.response();
    const entries = simulator.host.journal.read(0, 9);
    assert.deepEqual(entries.map((entry) => entry.request.bodyBytes), [5, 7, 0]);
    assert.equal(new TextDecoder().decode(entries[1]?.request.body), "abcdefg");
  }));

Deno.test("Expect: 100-continue is answered before the body is sent", () =>
  withClient(async (client) => {
    await client.send(
      "PUT /metadata/x HTTP/1.1\r\nMetadata: true\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    );
    assert.equal(await client.some(), "HTTP/1.1 100 Continue\r\n\r\n");
    await client.send("ab");
    assert.equal((await client.response()).status, 405);
  }));

Deno.test("HEAD gets the head of the answer alone", () =>
  withClient(async (client) => {
    await client.send(`${VERSIONS.replace("GET", "HEAD")}\r\n${VERSIONS}\r\n`);
    const head = await client.response("HEAD");
    const whole = await client.response("GET");
    const length = head.headers.find(([name]) => name === "content-length")?.[1];
    assert.equal(Number(length), whole.body.length);
    assert.equal(head.body.length, 0);
  }));

Deno.test("connections end when the client wants it, by version or by field", async () => {
  await using simulator = await start();
  const ends = async (request: string) => {
    using client = await RawClient.connect(simulator.addresses.imds);
    await client.send(request);
    return await client.rest();
  };
  assert.match(await ends(`${VERSIONS}Connection: keep-alive, Close\r\n\r\n`), /connection: close/);
  assert.match(await ends(`${VERSIONS.replace("1.1", "1.0")}\r\n`), /connection: close/);
  using kept = await RawClient.connect(simulator.addresses.imds);
  await kept.send(`${VERSIONS.replace("1.1", "1.0")}Connection: keep-alive\r\n\r\n`);
  assert.equal((await kept.response()).status, 200);
  await kept.send(`${VERSIONS}\r\n`);
  assert.equal((await kept.response()).status, 200);
});

Deno.test("a client that said all it had still gets its answer", () =>
  withClient(async (client, simulator) => {
    arm(simulator, { kind: "slow", ms: 30 });
    await client.send(`${VERSIONS}\r\n`);
    await client.closeWrite();
    assert.match(await client.rest(), /^HTTP\/1.1 200 OK/);
  }));

Deno.test("what is no request is refused and counted", async () => {
  await using simulator = await start();
  const cases: [string, string][] = [
    ["hello\r\n\r\n", "400"],
    ["GET / HTTP/2.0\r\n\r\n", "400"],
    ["GET / HTTP/1.1\r\nbad header\r\n\r\n", "400"],
    ["GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"],
    ["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"],
    ["POST / HTTP/1.1\r\nContent-Length: 102401\r\n\r\n", "413"],
    [`GET / HTTP/1.1\r\n${"x: y\r\n".repeat(104)}\r\n`, "431"],
    [`GET /${"a".repeat(65_534)} HTTP/1.1\r\n\r\n`, "414"],
    [`GET / HTTP/1.1\r\nx: ${"y".repeat(420_000)}`, "431"],
  ];
  for (const [request, status] of cases) {
    using client = await RawClient.connect(simulator.addresses.imds);
    await client.send(request).catch(() => {});
    assert.match(await client.rest(), new RegExp(`^HTTP/1.1 ${status} `), request.slice(0, 60));
  }
  assert.equal(simulator.host.counts.imds.malformed, cases.length);
});

Deno.test("an unannounced body is cut off at its limit", () =>
  withClient(async (client) => {
    await client.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
    for (let times = 0; times < 4; times++) await client.send(chunk).catch(() => {});
    assert.match(await client.rest(), /^HTTP\/1.1 413 /);
  }));

Deno.test("an exempt upload of megabytes is counted and not kept", async () => {
  await using simulator = await start();
  using client = await RawClient.connect(simulator.addresses.hostga);
  await client.send("PUT /vmAgentLog HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n");
  await client.send(new Uint8Array(3_000_000));
  assert.equal((await client.response()).status, 200);
  const [entry] = simulator.host.journal.read(0, 1);
  assert.deepEqual([entry?.request.bodyBytes, entry?.request.body.length], [3_000_000, 0]);
  assert.equal(simulator.host.counts.hostga.exempt, 1);
});

Deno.test("the fault status answers with that status and no body", () =>
  withClient(async (client, simulator) => {
    arm(simulator, { kind: "status", status: 503 });
    await client.send(`${VERSIONS}\r\n`);
    const { status, reason, body } = await client.response();
    assert.deepEqual([status, reason, body.length], [503, "Service Unavailable", 0]);
    assert.deepEqual(statuses(simulator), [503]);
  }));

Deno.test("the fault reset resets", async () => {
  await using simulator = await start();
  arm(simulator, { kind: "reset" });
  const { address, port } = simulator.addresses.imds;
  using connection = await Deno.connect({ hostname: address, port });
  await connection.write(new TextEncoder().encode(`${VERSIONS}\r\n`));
  await assert.rejects(connection.read(new Uint8Array(9)), Deno.errors.ConnectionReset);
  assert.deepEqual(statuses(simulator), [0]);
});

Deno.test("the faults close, garbage, garbage-body, half-body and stale are what they say", async () => {
  await using simulator = await start();
  const whole = async (kind: string) => {
    arm(simulator, { kind, count: 1 });
    using client = await RawClient.connect(simulator.addresses.imds);
    await client.send(`${VERSIONS}\r\n`);
    if (kind === "garbage-body") await client.send(`${VERSIONS}Connection: close\r\n\r\n`);
    return await client.rest();
  };
  assert.equal(await whole("close"), "");
  assert.doesNotMatch(await whole("garbage"), /^HTTP/);
  const [broken] = (await whole("garbage-body")).split("HTTP/1.1").slice(1);
  const [, body] = broken!.split("\r\n\r\n");
  assert.match(broken!, /^ 200 OK/);
  assert.throws(() => JSON.parse(body!));
  const half = await whole("half-body");
  const announced = Number(/content-length: (\d+)/.exec(half)![1]);
  assert.equal(half.split("\r\n\r\n")[1]?.length, Math.floor(announced / 2));
  const stale = await whole("stale");
  assert.match(stale, /^HTTP\/1.1 200 OK/);
  assert.doesNotMatch(stale, /connection: close/);
});

Deno.test("the faults huge-body and content-type change the body alone, and the type alone", () =>
  withClient(async (client, simulator) => {
    const answered = async (fault: Record<string, unknown>) => {
      arm(simulator, { ...fault, count: 1 });
      await client.send(`${VERSIONS}\r\n`);
      return await client.response();
    };
    const huge = await answered({ kind: "huge-body", bytes: 100_000 });
    assert.deepEqual([huge.status, huge.body.length], [200, 100_000]);
    const plain = await answered({ kind: "slow", ms: 1 });
    const typed = await answered({ kind: "content-type", contentType: "text/html" });
    const types = typed.headers.filter(([name]) => name === "content-type");
    assert.deepEqual(types, [["content-type", "text/html"]]);
    assert.deepEqual(typed.body, plain.body);
  }));

Deno.test("the fault hang answers nothing, and its end is noticed", () =>
  withClient(async (client, simulator) => {
    arm(simulator, { kind: "hang", count: 1 });
    await client.send(`${VERSIONS}\r\n${VERSIONS}\r\n`);
    const silent = await Promise.race([
      client.some(),
      new Promise((resolve) => setTimeout(() => resolve("silence"), 60)),
    ]);
    assert.equal(silent, "silence");
    assert.deepEqual(statuses(simulator), [0]);
    await client.closeWrite();
    assert.equal(await client.rest(), "");
  }));

Deno.test("signatures are verified on the bytes of the wire", async () => {
  await using simulator = await start({});
  const { keys } = simulator.host;
  const offered = keys.offer(0);
  keys.latch(offered.guid, 0);
  const request = (dateMs: number) => {
    const { method, target, headers, body } = ownRequest({
      method: "GET",
      target: "/metadata/versions?b=2&A=1",
      host: "169.254.169.254",
      extraHeaders: [["metadata", "true"]],
      body: null,
      key: agentKey(offered),
      date: formatHostDate(dateMs),
    });
    return encodeRequestMessage(method, target, headers, body);
  };
  using client = await RawClient.connect(simulator.addresses.imds);
  await client.send(request(Date.now()));
  assert.equal((await client.response()).status, 200);
  await client.send(request(0));
  const refused = await client.response();
  assert.equal(refused.status, 401);
  assert.match(new TextDecoder().decode(refused.body), /date-too-far/);
  assert.deepEqual(simulator.host.counts.imds, {
    signed: 1,
    exempt: 0,
    unsigned: 0,
    bad: 1,
    refused: 1,
    malformed: 0,
  });
});

Deno.test("a reader that is slow does not make the host hold more than one answer", () =>
  withClient(async (client, simulator) => {
    const request = "GET /metadata/instance?api-version=1 HTTP/1.1\r\nMetadata: true\r\n\r\n";
    const sending = client.send(request.repeat(40_000)).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(simulator.host.journal.nextSeq < 40_000, `${simulator.host.journal.nextSeq}`);
    client.close();
    await sending;
  }));

Deno.test("startSimulator() says where it listens, in documents too, and takes control", async () => {
  const control = { address: "127.0.0.1", port: 0 };
  await using simulator = await startSimulator({
    wireserver: LOOPBACK,
    hostga: LOOPBACK,
    imds: LOOPBACK,
    control,
  });
  const { addresses } = simulator;
  assert.deepEqual(simulator.host.site, addresses.wireserver);
  assert.ok(addresses.control !== null && "port" in addresses.control);
  const response = await fetch(`http://127.0.0.1:${addresses.control.port}/state`);
  assert.deepEqual((await response.json()).site, addresses.wireserver);
});

Deno.test("startSimulator() takes control on a Unix socket, and removes it", async () => {
  const folder = await Deno.makeTempDir();
  const unixPath = `${folder}/control`;
  const simulator = await startSimulator({
    wireserver: LOOPBACK,
    hostga: LOOPBACK,
    imds: LOOPBACK,
    control: { unixPath },
  });
  const connection = await Deno.connect({ transport: "unix", path: unixPath });
  await connection.write(
    new TextEncoder().encode("GET /faults HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
  );
  const buffer = new Uint8Array(4096);
  const count = await connection.read(buffer) ?? 0;
  assert.match(new TextDecoder().decode(buffer.subarray(0, count)), /200 OK/);
  connection.close();
  await simulator.close();
  await assert.rejects(Deno.stat(unixPath), Deno.errors.NotFound);
  await Deno.remove(folder);
});

Deno.test("startSimulator() leaves nothing behind when a part cannot listen", async () => {
  await using taken = await start();
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const free = { address: "127.0.0.1", port: probe.addr.port };
  probe.close();
  const { imds } = taken.addresses;
  const fails = async (change: object, port: number) =>
    await assert.rejects(
      startSimulator({
        wireserver: free,
        hostga: LOOPBACK,
        imds: LOOPBACK,
        control: null,
        ...change,
      }),
      (error: AgentError) => error.code === "LISTENER_BIND" && error.message.includes(`:${port}`),
    );
  await fails({ imds }, imds.port);
  await fails({ control: imds }, imds.port);
  await assert.rejects(
    startSimulator({
      wireserver: free,
      hostga: LOOPBACK,
      imds: LOOPBACK,
      control: { unixPath: "/nonexistent/folder/socket" },
    }),
    (error: AgentError) => error.message.includes("/nonexistent/folder/socket"),
  );
  Deno.listen({ hostname: "127.0.0.1", port: free.port }).close();
});
