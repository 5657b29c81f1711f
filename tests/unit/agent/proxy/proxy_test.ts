import assert from "node:assert/strict";
import type { AgentSnapshot } from "../../../../src/agent/key_keeper/mod.ts";
import { type Listener, openListener } from "../../../../src/agent/proxy/listener.ts";
import { Proxy, type ProxyOptions } from "../../../../src/agent/proxy/mod.ts";
import { Cell } from "../../../../src/runtime/cell.ts";
import { FakeRedirector } from "../../../../src/agent/redirector/fake_redirector.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { ScriptedSocket } from "../../../fakes/scripted_socket.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { ProxyStand, resolveToItself, STAND_DATE, until } from "../../../fakes/proxy_stand.ts";
import { RawClient } from "../../../fakes/raw_client.ts";
import { samplePolicy } from "../../../fakes/sample_request.ts";

/** A proxy that answers nothing but its own paths. */
function proxyOn(
  port: number,
  clock = new FakeClock(),
  logger = new MemoryLogger(),
  listen: ProxyOptions["listen"] = openListener,
): Proxy {
  return new Proxy({
    listen,
    clock,
    hostClock: { now: () => STAND_DATE },
    endpoints: {
      imds: { address: "127.0.0.1", port: 1 },
      wireserver: { address: "127.0.0.1", port: 2 },
      hostga: { address: "127.0.0.1", port: 3 },
      listener: { address: "127.0.0.1", port },
    },
    redirector: new FakeRedirector(),
    resolver: { resolve: resolveToItself },
    snapshot: new Cell<AgentSnapshot>({
      channel: "",
      key: null,
      policy: samplePolicy(),
      targets: {},
    }),
    audit: { record: () => null },
    upstream: { forward: () => Promise.reject(new Error("not asked")) },
    localEndpoints: {
      provision: () => ({ finished: true, errorMessage: "" }),
      aggregatedStatus: () => "{}",
    },
    logger,
    random: () => 0,
  });
}

Deno.test("Proxy run() tries to bind for ever, says who is to blame, and takes the port when it is free", async () => {
  const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  const proxy = proxyOn(other.addr.port, clock, logger);
  const health: string[] = [];
  const stop = new AbortController();
  const running = proxy.run(stop.signal, {
    report: (state, code, message) => void health.push(`${state} ${code}: ${message}`),
  });
  await clock.advance(10 * 60_000);
  assert.equal(proxy.address, null);
  const taken = health.at(-1)!;
  assert.match(
    taken,
    /^STOPPED port-taken: port \d+ of 127\.0\.0\.1 is taken by another process; find it with: ss /,
  );
  assert.ok(health.length > 10 && health.length < 40, `capped back-off: ${health.length} tries`);
  assert.equal(logger.texts("warn").length, health.length);
  other.close();
  await clock.advance(30_000);
  assert.deepEqual(proxy.address, { address: "127.0.0.1", port: other.addr.port });
  assert.match(
    health.at(-1)!,
    /^RUNNING listening: Started proxy listener, ready to accept request - \d{6}$/,
  );
  stop.abort();
  await running;
  assert.equal(proxy.address, null);
});

Deno.test("Proxy run() ends while it still tries to bind", async () => {
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clock = new FakeClock();
  const proxy = proxyOn(other.addr.port, clock);
  const stop = new AbortController();
  const running = proxy.run(stop.signal, { report: () => {} });
  await clock.settle();
  stop.abort();
  await running;
  assert.equal(clock.sleeping, 0);
});

Deno.test("Proxy run() says so when an address cannot be bound for another reason", async () => {
  const clock = new FakeClock();
  const proxy = new Proxy({
    ...({} as ConstructorParameters<typeof Proxy>[0]),
    clock,
    logger: new MemoryLogger(),
    random: () => 0,
    endpoints: {
      imds: { address: "127.0.0.1", port: 1 },
      wireserver: { address: "127.0.0.1", port: 2 },
      hostga: { address: "127.0.0.1", port: 3 },
      listener: { address: "192.0.2.1", port: 1 },
    },
  });
  const health: string[] = [];
  const stop = new AbortController();
  const running = proxy.run(stop.signal, { report: (_state, code) => void health.push(code) });
  await clock.settle();
  stop.abort();
  await running;
  assert.equal(health[0], "bind-failed");
});

Deno.test("Proxy run() lets running requests end before it stops", async () => {
  await using stand = await ProxyStand.start();
  let answer = () => {};
  stand.host.answer = async (_request, end) => {
    await new Promise<void>((resolve) => answer = resolve);
    await end.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone");
  };
  const client = await stand.client();
  await client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  await until(() => stand.host.requests.length === 1);
  const address = stand.address;
  const stopped = stand.stop();
  await until(() => stand.health.length === 1);
  answer();
  assert.equal((await client.response()).status, 200);
  await stopped;
  assert.deepEqual(stand.health, ["RUNNING listening", "STOPPED not-listening"]);
  await assert.rejects(RawClient.connect(address));
});

Deno.test("Proxy run() waits no longer than it may for what does not end", async () => {
  await using stand = await ProxyStand.start({ limits: { drainMs: 30 } });
  stand.host.answer = () => {};
  const client = await stand.client();
  await client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  await until(() => stand.host.requests.length === 1);
  await stand.stop();
  assert.deepEqual(stand.logger.texts("warn"), ["requests were still running at the stop"]);
});

Deno.test("Proxy serves many connections at once and counts requests", async () => {
  await using stand = await ProxyStand.start();
  const clients = await Promise.all(Array.from({ length: 50 }, () => stand.client()));
  await Promise.all(clients.map(async (client) => {
    for (let i = 0; i < 3; i++) {
      await client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
      assert.equal((await client.response()).status, 200);
    }
  }));
  assert.equal(stand.proxy.requestCount, 150);
});

Deno.test("Proxy passes bodies on as they are, whatever coding the caller would accept", async () => {
  await using stand = await ProxyStand.start();
  const body = JSON.stringify({ a: "b".repeat(2_000) });
  stand.host.answer = (_request, end) =>
    end.write(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: "x"\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  const client = await stand.client();
  await client.send("GET /a HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip, br\r\n\r\n");
  const response = await client.response();
  assert.equal(new TextDecoder().decode(response.body), body);
  const names = response.headers.map(([name]) => name);
  assert.ok(!names.includes("content-encoding"));
  assert.deepEqual(response.headers.find(([name]) => name === "etag"), ["etag", `"x"`]);
});

Deno.test("Proxy run() goes on accepting when the system is short of something, and says so meanwhile", async () => {
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  let failures = 3;
  const closed = Promise.withResolvers<null>();
  const listener: Listener = {
    address: { address: "127.0.0.1", port: 1 },
    accept: () =>
      failures-- > 0 ? Promise.reject(new Error("Too many open files")) : closed.promise,
    close: () => closed.resolve(null),
  };
  // The first connection after the failures is what tells that they are over.
  const { promise: oneMore, resolve: connect } = Promise.withResolvers<void>();
  const socket = new ScriptedSocket();
  let hasOne = false;
  const accept = async () => {
    const next = listener.accept();
    if (failures < 0 && !hasOne) {
      hasOne = true;
      await oneMore;
      return { socket, peer: { address: "127.128.0.1", port: 5 } };
    }
    return await next;
  };
  const proxy = proxyOn(1, clock, logger, () => ({ ...listener, accept }));
  const health: string[] = [];
  const stop = new AbortController();
  const running = proxy.run(stop.signal, {
    report: (state, code) => void health.push(`${state} ${code}`),
  });
  await clock.advance(250);
  assert.deepEqual(health, ["RUNNING listening", "STOPPED accept-failed"]);
  assert.deepEqual(logger.texts("warn"), ["connections are not accepted"]);
  await clock.advance(250);
  connect();
  await clock.settle();
  assert.deepEqual(health.slice(2), ["RUNNING listening"]);
  assert.equal(proxy.connectionCount, 1);
  stop.abort();
  await running;
  assert.equal(socket.isClosed, true);
  assert.equal(proxy.connectionCount, 0);
});

Deno.test("Proxy run() ends with an error when its listener is gone, so that another is opened", async () => {
  const proxy = proxyOn(1, new FakeClock(), new MemoryLogger(), () => ({
    address: { address: "127.0.0.1", port: 1 },
    accept: () => Promise.reject(new Deno.errors.BadResource("Listener has been closed")),
    close: () => {},
  }));
  await assert.rejects(
    proxy.run(new AbortController().signal, { report: () => {} }),
    (error) => error instanceof AgentError && error.code === "LISTENER_BIND",
  );
});

Deno.test("Proxy accepts on when callers reset their connections before they are accepted", async () => {
  await using stand = await ProxyStand.start();
  const python = "import socket, struct, sys\n" +
    "for _ in range(50):\n" +
    "  s = socket.socket()\n" +
    "  s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n" +
    "  s.connect(('127.0.0.1', int(sys.argv[1])))\n" +
    "  s.close()\n";
  // Synchronously: nothing is accepted until all of them are gone again.
  const { success } = new Deno.Command("python3", {
    args: ["-c", python, String(stand.address.port)],
  }).outputSync();
  assert.ok(success);
  const startedMs = performance.now();
  const client = await stand.client();
  await client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  assert.equal((await client.response()).status, 200);
  assert.ok(performance.now() - startedMs < 2_000);
  assert.equal(stand.proxy.requestCount, 1);
});

Deno.test("Proxy counts the connections it cuts", async () => {
  await using stand = await ProxyStand.start({ limits: { headMs: 30, idleMs: 60 } });
  const [half, silent] = [await stand.client(), await stand.client()];
  await half.send("GET /a");
  assert.equal(await half.rest(), "");
  assert.equal(await silent.rest(), "");
  assert.deepEqual(stand.proxy.cut, { "head-not-complete": 1, idle: 1, "answer-not-taken": 0 });
});

Deno.test("Proxy setTimeLimits() holds for the connections that come after it", async () => {
  await using stand = await ProxyStand.start({ limits: { headMs: 60_000, idleMs: 60_000 } });
  const before = await stand.client();
  stand.proxy.setTimeLimits({ headMs: 60_000, idleMs: 30 });
  const after = await stand.client();
  assert.equal(await after.rest(), "");
  assert.equal(stand.proxy.cut.idle, 1);
  await before.send("GET /provision HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n\r\n");
  assert.equal((await before.response()).status, 200);
});
