/** The other end of the cable: answers on the ports of the metadata services, and counts the connections that came. */
import type { Seen } from "./probe_protocol.ts";

const PORTS = [80, 32526, 8080];

/** Answers every request head on a connection until its client goes. */
async function serve(connection: Deno.TcpConn): Promise<void> {
  using client = connection;
  const { hostname: address, port } = client.remoteAddr;
  const seen: Seen = { by: "host", peer: { address, port }, kind: "unattributed" };
  const body = JSON.stringify(seen);
  const answer = new TextEncoder().encode(
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  try {
    for await (const _ of client.readable.values({ preventCancel: true })) {
      await client.write(answer);
    }
  } catch {
    // The client went without a word.
  }
}

async function listen(hostname: string, port: number, onConnection: () => void): Promise<void> {
  for await (const connection of Deno.listen({ hostname, port })) {
    onConnection();
    serve(connection);
  }
}

if (import.meta.main) {
  let connections = 0;
  for (const port of PORTS) {
    for (const hostname of ["0.0.0.0", "::1"]) listen(hostname, port, () => connections++);
  }
  const say = (text: string) => Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
  await say("ready");
  for await (const _ of Deno.stdin.readable) await say(String(connections));
  Deno.exit(0);
}
