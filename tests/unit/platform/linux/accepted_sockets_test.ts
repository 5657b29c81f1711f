import assert from "node:assert/strict";
import { Libc } from "../../../../ffi/libc.ts";
import type { AcceptedSocket } from "../../../../src/agent/proxy/mod.ts";
import { OwnSockets } from "../../../../src/platform/linux/accepted_sockets.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";

/** The library stays loaded, so it is loaded outside of the tests. */
const libc = new Libc();

/** A listener with clients, and what the scan finds of it. */
class Stand implements Disposable {
  readonly listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly pairs: [client: Deno.TcpConn, server: Deno.TcpConn][] = [];
  readonly sockets: OwnSockets;

  constructor() {
    const { port } = this.listener.addr;
    this.sockets = new OwnSockets(libc, new FakeClock(), { address: "127.0.0.1", port });
  }

  async connect(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
    const client = await Deno.connect({ port: this.listener.addr.port });
    const pair: [Deno.TcpConn, Deno.TcpConn] = [client, await this.listener.accept()];
    this.pairs.push(pair);
    return pair;
  }

  async scan(signal = new AbortController().signal): Promise<AcceptedSocket[]> {
    const found: AcceptedSocket[] = [];
    for await (const slice of this.sockets.scan(signal)) found.push(...slice);
    return found;
  }

  [Symbol.dispose](): void {
    this.listener.close();
    for (const [client, server] of this.pairs) {
      client[Symbol.dispose]();
      server[Symbol.dispose]();
    }
  }
}

Deno.test("scan() finds the accepted connections, neither the listener nor the clients' ends", async () => {
  using stand = new Stand();
  assert.deepEqual(await stand.scan(), []);
  const [first] = await stand.connect();
  const [second] = await stand.connect();
  const ports = (await stand.scan()).map(({ peer }) => peer.port).sort();
  assert.deepEqual(ports, [first.localAddr.port, second.localAddr.port].sort());
});

Deno.test("scan() says how much a connection has sent", async () => {
  using stand = new Stand();
  const [client, server] = await stand.connect();
  assert.equal((await stand.scan())[0]?.bytesReceived, 0);
  await client.write(new Uint8Array(100));
  await server.read(new Uint8Array(1));
  assert.equal((await stand.scan())[0]?.bytesReceived, 100);
});

Deno.test("shut() ends the connection, once", async () => {
  using stand = new Stand();
  const [client] = await stand.connect();
  const [socket] = await stand.scan();
  assert.equal(socket?.shut(), true);
  assert.equal(await client.read(new Uint8Array(1)), null);
});

Deno.test("shut() leaves a descriptor alone that is another connection's by now", async () => {
  using stand = new Stand();
  const [, server] = await stand.connect();
  const [socket] = await stand.scan();
  server.close();
  const [other] = await stand.connect();
  assert.equal(socket?.shut(), false);
  await other.write(new Uint8Array(1));
  assert.equal(await stand.pairs[1]![1].read(new Uint8Array(1)), 1);
  stand.pairs.shift()![0].close();
});

Deno.test("scan() ends when it is told to", async () => {
  using stand = new Stand();
  await stand.connect();
  assert.deepEqual(await stand.scan(AbortSignal.abort()), []);
});
