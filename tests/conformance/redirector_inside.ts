/**
 * The suite for the Linux redirector. Run by redirector_test.ts inside a sandbox, where this process is the agent and
 * the callers are children of it; the sandbox's cgroup and folder are its arguments.
 */
import { Libbpf } from "../../ffi/libbpf.ts";
import { Libc } from "../../ffi/libc.ts";
import { ENDPOINTS, type SocketAddress } from "../../src/domain/wire/endpoints.ts";
import { LinuxRedirector } from "../../src/platform/linux/linux_redirector.ts";
import { MemoryLogger } from "../fakes/memory_logger.ts";
import { type Dialled, redirectorSuite } from "./redirector.ts";

const [cgroup = "", folder = "", objects = ""] = Deno.args;
/** Says where it comes from, and holds the connection until its input ends. */
const CALLER = `
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
sys.stdout.write("%s %d\\n" % s.getsockname())
sys.stdout.flush()
sys.stdin.read()
`;

/** The libraries stay loaded, so they are loaded outside of the tests. */
const libc = new Libc();
const libbpf = new Libbpf(libc, () => {});

redirectorSuite("LinuxRedirector", () => {
  const redirector = new LinuxRedirector(
    libc,
    libbpf,
    {
      cgroupRoot: cgroup,
      bpfFolder: `${folder}/bpf`,
      readObject: (variant) =>
        Deno.readFileSync(`${objects}/redirector${variant === "full" ? "" : "_no_task"}.o`),
      endpoints: ENDPOINTS,
      userConnectionLimit: 100,
      rootConnectionLimit: 100,
      staleAfterMs: 5_000,
    },
    new MemoryLogger(),
  );
  const listener = new Listener();
  return Promise.resolve({
    redirector,
    dial: (to, uid) => dial(listener, to, uid),
    async [Symbol.asyncDispose]() {
      await redirector.detach();
      listener.close();
    },
  });
});

/** Where callers are sent: keeps who came. */
class Listener {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: ENDPOINTS.listener.port });
  readonly #came = new Map<string, Deno.TcpConn>();
  readonly #accepting = this.#accept();

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      const { hostname, port } = connection.remoteAddr;
      this.#came.set(`${hostname} ${port}`, connection);
    }
  }

  /** The connection from `source`, which is printed before it is accepted; `null` when it does not come in 100 ms. */
  async take(source: string): Promise<Deno.TcpConn | null> {
    for (let attempt = 0; attempt < 10; attempt++) {
      const connection = this.#came.get(source);
      this.#came.delete(source);
      if (connection !== undefined) return connection;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return null;
  }

  async close(): Promise<void> {
    this.#listener.close();
    await this.#accepting;
  }
}

async function lineOf(output: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await output.read();
    if (done) throw new Error("the caller ended without a word");
    text += new TextDecoder().decode(value);
  }
  return text.trim();
}

async function dial(listener: Listener, to: SocketAddress, uid: number): Promise<Dialled> {
  const child = new Deno.Command("setpriv", {
    args: [
      ...[`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"],
      ...["/usr/bin/python3", "-c", CALLER, to.address, String(to.port)],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.stdout.getReader();
  const source = await lineOf(output);
  const connection = await listener.take(source);
  const [address = "", port] = source.split(" ");
  return {
    peer: connection === null ? null : { address, port: Number(port) },
    async close() {
      await child.stdin.close();
      await child.status;
      await output.cancel();
      connection?.close();
      await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
}
