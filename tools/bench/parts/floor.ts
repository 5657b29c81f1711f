/**
 * Proxies of least effort, to tell what the runtime costs from what the agent adds. They know no caller, no policy, no
 * signature, no limit and no error. Arguments: which of them, port, address of the host.
 *
 * - `serve`: the runtime's HTTP server with a constant answer, no host behind it
 * - `bare`: the runtime's HTTP server, each request passed on over a kept connection
 * - `codec`: plain sockets on both sides, bytes passed on as they are
 *
 * @module
 */
import { tell } from "./open_parts.ts";

const [kind = "", port = "0", host = ""] = Deno.args;
const at = { hostname: "127.0.0.1", port: Number(port) };
const BUFFER_BYTES = 16_384;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** A kept connection to the host. */
interface Kept {
  readonly connection: Deno.Conn;
  readonly buffer: Uint8Array<ArrayBuffer>;
}

const idle: Kept[] = [];

/** Sends bytes and returns what comes back at once, which here is always a whole answer. */
async function ask(bytes: Uint8Array): Promise<{ kept: Kept; count: number }> {
  const kept = idle.pop() ?? await dial();
  await kept.connection.write(bytes);
  const count = await kept.connection.read(kept.buffer);
  return { kept, count: count ?? 0 };
}

async function dial(): Promise<Kept> {
  const connection = await Deno.connect({ hostname: host, port: 80 });
  connection.setNoDelay(true);
  return { connection, buffer: new Uint8Array(BUFFER_BYTES) };
}

async function passOn(request: Request): Promise<Response> {
  let head = `${request.method} ${
    request.url.slice(`http://127.0.0.1:${port}`.length)
  } HTTP/1.1\r\n`;
  request.headers.forEach((value, name) => {
    if (name !== "connection") head += `${name}: ${value}\r\n`;
  });
  const { kept, count } = await ask(encoder.encode(`${head}\r\n`));
  const answer = decoder.decode(kept.buffer.subarray(0, count));
  idle.push(kept);
  const end = answer.indexOf("\r\n\r\n");
  const headers: [string, string][] = [];
  for (const line of answer.slice(0, end).split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    if (name !== "connection" && name !== "content-length") {
      headers.push([name, line.slice(colon + 2)]);
    }
  }
  return new Response(answer.slice(end + 4), { headers });
}

async function pump(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  try {
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      const { kept, count: answered } = await ask(buffer.subarray(0, count));
      await connection.write(kept.buffer.subarray(0, answered));
      idle.push(kept);
    }
  } catch {
    // The client broke off.
  }
  connection.close();
}

const CONSTANT = JSON.stringify({ compute: { name: "x".repeat(1000) } });
const onListen = () => tell("ready");
switch (kind) {
  case "serve":
    Deno.serve(
      { ...at, onListen },
      () => new Response(CONSTANT, { headers: { "content-type": "application/json" } }),
    );
    break;
  case "bare":
    Deno.serve({ ...at, onListen }, passOn);
    break;
  case "codec": {
    const listener = Deno.listen(at);
    onListen();
    for await (const connection of listener) pump(connection);
  }
}
