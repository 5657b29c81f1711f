import assert from "node:assert/strict";
import { Connections } from "../../../../src/agent/proxy/connections.ts";

const peer = (port: number) => ({ address: "127.0.0.1", port });

Deno.test("Connections begin() and end() count what is in flight", () => {
  const connections = new Connections(10);
  const one = connections.begin(peer(1), 5);
  assert.equal(connections.begin(peer(1), 6), one);
  assert.deepEqual([one.inFlight, one.requests, one.firstSeenMs], [2, 2, 5]);
  connections.end(one, 9);
  connections.end(one, 11);
  assert.deepEqual([one.inFlight, one.lastEndMs, one.closeAtMs], [0, 11, Infinity]);
  assert.equal(connections.size, 1);
});

Deno.test("Connections keeps peers of different addresses apart", () => {
  const connections = new Connections(10);
  const one = connections.begin({ address: "127.0.0.2", port: 1 }, 0);
  assert.notEqual(connections.begin(peer(1), 0), one);
});

Deno.test("Connections renew() starts afresh and moves the request", () => {
  const connections = new Connections(10);
  const old = connections.begin(peer(1), 0);
  old.cookie = 1n;
  const fresh = connections.renew(old, 5);
  assert.notEqual(fresh, old);
  assert.deepEqual([old.inFlight, fresh.inFlight, fresh.cookie, fresh.firstSeenMs], [
    0,
    1,
    null,
    5,
  ]);
  assert.equal(connections.observe(peer(1), 6), fresh);
  assert.equal(connections.size, 1);
});

Deno.test("Connections counts those that were told to close, until they are gone", () => {
  const connections = new Connections(10);
  const one = connections.begin(peer(1), 0);
  const other = connections.begin(peer(1), 0);
  connections.end(one, 1, 10);
  connections.end(other, 2, 20);
  assert.equal(one.closeAtMs, 10);
  assert.equal(connections.closing, 1);
  connections.forget(one);
  connections.forget(one);
  assert.deepEqual([connections.closing, connections.size], [0, 0]);
});

Deno.test("Connections forgets the oldest that is not in use to stay within its bound", () => {
  const connections = new Connections(3);
  const busy = connections.begin(peer(1), 0);
  connections.end(connections.begin(peer(2), 0), 0);
  connections.end(connections.begin(peer(3), 0), 0);
  for (let port = 4; port < 100; port++) connections.end(connections.begin(peer(port), 0), 0);
  assert.equal(connections.size, 3);
  assert.equal(connections.observe(peer(1), 0), busy);
});

Deno.test("Connections stays within its bound when all are in use", () => {
  const connections = new Connections(100);
  for (let port = 1; port < 300; port++) connections.begin(peer(port), 0);
  assert.equal(connections.size, 100);
});

Deno.test("Connections end() of an entry that made room is harmless", () => {
  const connections = new Connections(1);
  const one = connections.begin(peer(1), 0);
  connections.begin(peer(2), 0);
  connections.end(one, 1, 2);
  connections.forget(one);
  assert.equal(connections.size, 1);
});
