import assert from "node:assert/strict";
import type { AcceptedSocket, AcceptedSockets } from "../../../../src/agent/proxy/mod.ts";
import { Connections } from "../../../../src/agent/proxy/connections.ts";
import { PROXY_LIMITS } from "../../../../src/agent/proxy/limits.ts";
import { Reaper } from "../../../../src/agent/proxy/reaper.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

/** The system's view of accepted connections, as the test tells it. */
class FakeSockets implements AcceptedSockets {
  /** Bytes received, by port. */
  readonly bytes = new Map<number, number>();
  readonly cut: number[] = [];
  scans = 0;
  sliceLength = 100;

  async *scan(signal: AbortSignal): AsyncIterable<readonly AcceptedSocket[]> {
    this.scans++;
    const all = [...this.bytes];
    for (let at = 0; at < all.length && !signal.aborted; at += this.sliceLength) {
      await Promise.resolve();
      yield all.slice(at, at + this.sliceLength).map(([port, bytesReceived]) => ({
        peer: peer(port),
        bytesReceived,
        shut: () => {
          this.cut.push(port);
          return this.bytes.delete(port);
        },
      }));
    }
  }
}

const peer = (port: number) => ({ address: "127.0.0.1", port });

class Bench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly sockets = new FakeSockets();
  readonly connections = new Connections(10_000);
  readonly reaper = new Reaper(
    this.sockets,
    this.connections,
    this.clock,
    PROXY_LIMITS,
    new MemoryLogger(),
  );
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  start(): void {
    this.#running = this.reaper.run(this.#stop.signal, { report: () => {} });
  }

  /** A request that took no time. */
  request(port: number, bytes: number): void {
    const nowMs = this.clock.monotonicMs();
    this.sockets.bytes.set(port, (this.sockets.bytes.get(port) ?? 0) + bytes);
    this.connections.end(this.connections.begin(peer(port), nowMs), nowMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

Deno.test("Reaper cuts a silent connection when it was idle for its time, and not before", async () => {
  await using bench = new Bench();
  bench.start();
  bench.sockets.bytes.set(1, 0);
  await bench.clock.advance(5_000); // seen first
  await bench.clock.advance(115_000);
  assert.deepEqual(bench.sockets.cut, []);
  await bench.clock.advance(10_000);
  assert.deepEqual(bench.sockets.cut, [1]);
  assert.deepEqual(bench.reaper.cut, { "head-not-complete": 0, idle: 1, "told-to-close": 0 });
});

Deno.test("Reaper cuts half a head when it was not completed in time", async () => {
  await using bench = new Bench();
  bench.start();
  bench.sockets.bytes.set(1, 20);
  await bench.clock.advance(34_000);
  assert.deepEqual(bench.sockets.cut, []);
  await bench.clock.advance(2_000);
  assert.deepEqual(bench.sockets.cut, [1]);
  assert.equal(bench.reaper.cut["head-not-complete"], 1);
});

Deno.test("Reaper is not deceived by a head that trickles", async () => {
  await using bench = new Bench();
  bench.start();
  for (let second = 0; second < 40; second++) {
    if (!bench.sockets.cut.includes(1)) bench.sockets.bytes.set(1, second + 1);
    await bench.clock.advance(1_000);
  }
  assert.deepEqual(bench.sockets.cut, [1]);
});

Deno.test("Reaper cuts half a head on a connection that has served requests", async () => {
  await using bench = new Bench();
  bench.start();
  bench.request(1, 100);
  await bench.clock.advance(10_000);
  bench.sockets.bytes.set(1, 110);
  await bench.clock.advance(36_000);
  assert.deepEqual(bench.sockets.cut, [1]);
});

Deno.test("Reaper leaves a connection alone that makes requests, however slowly", async () => {
  await using bench = new Bench();
  bench.start();
  for (let minute = 0; minute < 10; minute++) {
    bench.request(1, 100);
    await bench.clock.advance(60_000);
  }
  assert.deepEqual(bench.sockets.cut, []);
  await bench.clock.advance(66_000);
  assert.deepEqual(bench.sockets.cut, [1]);
});

Deno.test("Reaper never cuts a connection with a request in flight", async () => {
  await using bench = new Bench();
  bench.start();
  bench.sockets.bytes.set(1, 100);
  const connection = bench.connections.begin(peer(1), 0);
  await bench.clock.advance(300_000);
  bench.sockets.bytes.set(1, 5_000);
  await bench.clock.advance(300_000);
  assert.deepEqual(bench.sockets.cut, []);
  bench.connections.end(connection, bench.clock.monotonicMs());
  await bench.clock.advance(110_000);
  assert.deepEqual(bench.sockets.cut, []);
  await bench.clock.advance(20_000);
  assert.deepEqual(bench.sockets.cut, [1]);
});

Deno.test("Reaper soon cuts a connection whose peer was told to close it and did not", async () => {
  await using bench = new Bench();
  bench.start();
  bench.sockets.bytes.set(1, 100);
  bench.sockets.bytes.set(2, 100);
  const connection = bench.connections.begin(peer(1), 0);
  bench.connections.end(connection, 0, PROXY_LIMITS.lingerMs);
  await bench.clock.advance(1_100);
  assert.deepEqual(bench.sockets.cut, [1]);
  assert.equal(bench.connections.closing, 0);
  assert.equal(bench.sockets.scans, 1);
  await bench.clock.advance(3_000);
  assert.equal(bench.sockets.scans, 1, "nothing to close, so it waits for its time");
});

Deno.test("Reaper forgets connections that are gone, and those only", async () => {
  await using bench = new Bench();
  bench.start();
  bench.request(1, 100);
  bench.request(2, 100);
  const busy = bench.connections.begin(peer(3), 0); // not listed, but being served
  bench.sockets.bytes.delete(2);
  await bench.clock.advance(6_000);
  assert.equal(bench.connections.size, 2);
  assert.equal(bench.connections.observe(peer(3), 0), busy);
});

Deno.test("Reaper takes a port that was used again for a new connection", async () => {
  await using bench = new Bench();
  bench.start();
  bench.request(1, 1_000);
  await bench.clock.advance(6_000);
  bench.sockets.bytes.set(1, 10); // fewer bytes: another connection, with the beginning of a head
  await bench.clock.advance(6_000);
  bench.sockets.bytes.set(1, 20);
  await bench.clock.advance(36_000);
  assert.deepEqual(bench.sockets.cut, [1]);
});

Deno.test("Reaper goes through thousands of silent connections slice by slice", async () => {
  await using bench = new Bench();
  for (let port = 1; port <= 5_000; port++) bench.sockets.bytes.set(port, 0);
  bench.sockets.sliceLength = 50;
  let turns = 0;
  const counting = (async () => {
    while (bench.connections.size < 5_000) {
      turns++;
      await Promise.resolve();
    }
  })();
  await bench.reaper.scan(new AbortController().signal);
  await counting;
  assert.ok(turns >= 50, `others ran between the slices: ${turns}`);
  assert.equal(bench.connections.size, 5_000);
});

Deno.test("Reaper forgets nobody when a scan was broken off", async () => {
  await using bench = new Bench();
  bench.request(1, 100);
  bench.request(2, 100);
  await bench.clock.advance(10_000);
  bench.sockets.sliceLength = 1;
  const stop = new AbortController();
  const scanning = bench.reaper.scan(stop.signal);
  await Promise.resolve();
  stop.abort();
  await scanning;
  assert.equal(bench.connections.size, 2);
});

Deno.test("Reaper does not count what had ended by itself", async () => {
  await using bench = new Bench();
  bench.sockets.bytes.set(1, 100);
  bench.connections.end(bench.connections.begin(peer(1), 0), 0, 0);
  bench.clock.tick(10);
  const scan = bench.sockets.scan.bind(bench.sockets);
  bench.sockets.scan = async function* (signal) {
    for await (const slice of scan(signal)) {
      yield slice.map((each) => ({
        ...each,
        shut: () => false,
      }));
    }
  };
  await bench.reaper.scan(new AbortController().signal);
  assert.equal(bench.reaper.cut["told-to-close"], 0);
  assert.equal(bench.connections.size, 0);
});
