/**
 * How much the agent's data path costs, on loopback and without the kernel's redirect: nginx answers 1 KB of JSON; wrk asks
 * it directly, through nginx `proxy_pass` with upstream keep-alive, and through the agent, in alternating rounds. What
 * counts is the ratio to `proxy_pass` within a round. Needs nginx and wrk; ends by itself.
 *
 *     deno run -A tests/bench/data_path_bench.ts [--rounds=5] [--seconds=2] [--only=c16] [--json]
 *
 * @module
 */
import { formatHostDate, SecretKey } from "../../src/domain/endorsement/mod.ts";
import type { Caller, ConnectionRecord, RedactedText } from "../../src/domain/identity/mod.ts";
import type { PolicySnapshot } from "../../src/domain/policy/mod.ts";
import type { EndpointMap } from "../../src/domain/wire/mod.ts";
import type { AgentSnapshot } from "../../src/agent/key_keeper/mod.ts";
import { FakeRedirector } from "../../src/agent/redirector/fake_redirector.ts";
import { Proxy } from "../../src/agent/proxy/mod.ts";
import { Upstream } from "../../src/agent/upstream/mod.ts";
import { Cell } from "../../src/runtime/cell.ts";
import { SystemClock } from "../../src/runtime/system_clock.ts";
import { MemoryLogger } from "../fakes/memory_logger.ts";

/** A way of using the data path. */
interface Shape {
  readonly name: string;
  readonly connections: number;
  readonly isNewConnectionEach: boolean;
  /** What the budget is about. Source: performance 1. */
  readonly measure: "p50" | "rate";
  readonly must: number;
  readonly stretch: number;
}

const SHAPES: readonly Shape[] = [
  {
    name: "c1",
    connections: 1,
    isNewConnectionEach: false,
    measure: "p50",
    must: 2.2,
    stretch: 1.4,
  },
  {
    name: "c16",
    connections: 16,
    isNewConnectionEach: false,
    measure: "rate",
    must: 0.45,
    stretch: 0.75,
  },
  {
    name: "c64",
    connections: 64,
    isNewConnectionEach: false,
    measure: "rate",
    must: 0.45,
    stretch: 0.85,
  },
  {
    name: "new1",
    connections: 1,
    isNewConnectionEach: true,
    measure: "p50",
    must: 2.3,
    stretch: 1.3,
  },
  {
    name: "new16",
    connections: 16,
    isNewConnectionEach: true,
    measure: "rate",
    must: 0.7,
    stretch: 1,
  },
];

/** One run of wrk. */
interface Load {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly errors: number;
}

interface Round {
  readonly direct: Load;
  readonly nginx: Load;
  readonly agent: Load;
  readonly agentCpuUs: number;
}

export const BODY = JSON.stringify({ compute: { name: "x".repeat(1000) } });

function flag(name: string, fallback: string): string {
  const prefix = `--${name}=`;
  return Deno.args.find((arg) => arg.startsWith(prefix))?.slice(prefix.length) ?? fallback;
}

export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

export async function startNginx(
  folder: string,
  name: string,
  http: string,
): Promise<Deno.ChildProcess> {
  const config = `${folder}/${name}.conf`;
  await Deno.writeTextFile(
    config,
    `daemon off; worker_processes 1; pid ${folder}/${name}.pid; error_log ${folder}/${name}.log;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000; client_body_temp_path ${folder}/${name}.body;
proxy_temp_path ${folder}/${name}.proxy; fastcgi_temp_path ${folder}/${name}.f;
uwsgi_temp_path ${folder}/${name}.u; scgi_temp_path ${folder}/${name}.s;
${http} }`,
  );
  return new Deno.Command("nginx", {
    args: ["-c", config, "-e", `${folder}/${name}.log`],
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function reachable(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/x`, { headers: { metadata: "true" } });
      const text = await response.text();
      if (response.ok && text === BODY) return;
    } catch {
      // Not up yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing answers on port ${port}`);
}

async function wrk(port: number, shape: Shape, seconds: number): Promise<Load> {
  const url = `http://127.0.0.1:${port}/metadata/instance?api-version=2021-02-01`;
  const headers = ["-H", "Metadata: true", "-H", "User-Agent: bench/1.0", "-H", "Accept: */*"];
  if (shape.isNewConnectionEach) headers.push("-H", "Connection: close");
  const { stdout } = await new Deno.Command("wrk", {
    args: ["-t1", `-c${shape.connections}`, `-d${seconds}s`, "--latency", ...headers, url],
    stdout: "piped",
    stderr: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const broken = sockets === null ? 0 : sockets.slice(1).reduce((sum, n) => sum + Number(n), 0);
  const p50 = /50%\s+([\d.]+)(us|ms|s)/.exec(text);
  const unit = { us: 1, ms: 1_000, s: 1_000_000 }[p50?.[2] ?? "us"] ?? 1;
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p50Us: Number(p50?.[1] ?? 0) * unit,
    errors: refused + broken,
  };
}

/** Microseconds on a processor since the start, all threads. */
function cpuUs(): number {
  let ns = 0;
  for (const task of Deno.readDirSync("/proc/self/task")) {
    try {
      ns += Number(Deno.readTextFileSync(`/proc/self/task/${task.name}/schedstat`).split(" ")[0]);
    } catch {
      // The thread ended meanwhile.
    }
  }
  return ns / 1000;
}

export function startAgent(
  upstreamPort: number,
  port: number,
): { stop: () => Promise<void>; proxy: Proxy } {
  const clock = new SystemClock();
  const record: ConnectionRecord = {
    cookie: 1n,
    source: { address: "127.0.0.1", port: 0 },
    netns: 1n,
    destination: { address: "127.0.0.1", port: upstreamPort },
    uid: 1000,
    gid: 1000,
    process: { tgid: 1, startedAtBootNs: 1n },
    comm: "wrk",
    exe: { device: 1n, inode: 1n },
    cgroupId: 1n,
    connectedAtBootNs: 1n,
  };
  const caller: Caller = {
    record,
    elevated: false,
    account: { userName: "bench", groups: ["bench"] },
    exe: { kind: "verified", path: "/usr/bin/wrk" },
    commandLine: "wrk" as RedactedText,
  };
  const redirector = new FakeRedirector();
  redirector.knowEveryone({ kind: "redirected", record });
  const secret = SecretKey.fromHex(
    "0F1E2D3C4B5A69788796A5B4C3D2E1F000112233445566778899AABBCCDDEEFF",
  );
  if (!secret.ok) throw new Error(secret.error);
  const policy: PolicySnapshot = {
    epoch: 1,
    digest: "",
    matching: "shadow",
    endpoints: {
      imds: { kind: "built-in", mode: "enforce" },
      wireserver: { kind: "built-in", mode: "enforce" },
      hostga: { kind: "built-in", mode: "enforce" },
    },
  };
  const endpoints: EndpointMap = {
    imds: record.destination,
    wireserver: { address: "127.0.0.9", port: 80 },
    hostga: { address: "127.0.0.9", port: 81 },
    listener: { address: "127.0.0.1", port },
  };
  const snapshot = new Cell<AgentSnapshot>({
    channel: "wireserver",
    key: {
      guid: "5b1c7e2a-9d40-4c58-8f0e-3a6d2f917c44",
      secret: secret.value,
      incarnationId: null,
    },
    policy,
    targets: { imds: "enforce" },
  });
  let second = 0;
  let date = formatHostDate(0);
  const upstream = new Upstream({ clock });
  const proxy = new Proxy({
    clock,
    hostClock: {
      now: () => {
        const now = Math.floor(Date.now() / 1000);
        if (now !== second) date = formatHostDate((second = now) * 1000);
        return date;
      },
    },
    endpoints,
    redirector,
    resolver: { resolve: () => ({ caller, check: () => "same" }) },
    snapshot,
    audit: { record: () => null },
    upstream,
    localEndpoints: {
      provision: () => ({ finished: true, errorMessage: "" }),
      aggregatedStatus: () => "{}",
    },
    logger: new MemoryLogger(),
    random: Math.random,
  });
  const stop = new AbortController();
  const running = proxy.run(stop.signal, { report: () => {} });
  return {
    proxy,
    stop: async () => {
      stop.abort();
      await running;
      upstream.close();
    },
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

async function main(): Promise<void> {
  const rounds = Number(flag("rounds", "5"));
  const seconds = Number(flag("seconds", "2"));
  const only = flag("only", "");
  const folder = await Deno.makeTempDir({ prefix: "data_path_bench_" });
  const [upstreamPort, nginxPort, agentPort] = [freePort(), freePort(), freePort()];
  const children: Deno.ChildProcess[] = [];
  let failed = false;
  try {
    children.push(
      await startNginx(
        folder,
        "upstream",
        `server { listen 127.0.0.1:${upstreamPort} backlog=4096; keepalive_timeout 300;
default_type application/json; location / { return 200 '${BODY}'; } }`,
      ),
      await startNginx(
        folder,
        "proxy",
        `upstream host { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 1000000; }
server { listen 127.0.0.1:${nginxPort} backlog=4096; location / { proxy_pass http://host;
proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; } }`,
      ),
    );
    const agent = startAgent(upstreamPort, agentPort);
    for (const port of [upstreamPort, nginxPort, agentPort]) await reachable(port);
    for (const shape of SHAPES) {
      if (only !== "" && only !== shape.name) continue;
      const results: Round[] = [];
      await wrk(agentPort, shape, 1); // warm
      for (let round = 0; round < rounds; round++) {
        const loads: Record<string, Load> = {};
        let agentCpuUs = 0;
        const order = round % 2 === 0 ? ["direct", "nginx", "agent"] : ["agent", "nginx", "direct"];
        for (const each of order) {
          const port = { direct: upstreamPort, nginx: nginxPort, agent: agentPort }[each]!;
          const [cpu, count] = [cpuUs(), agent.proxy.requestCount];
          loads[each] = await wrk(port, shape, seconds);
          if (each === "agent") {
            agentCpuUs = (cpuUs() - cpu) / (agent.proxy.requestCount - count);
          }
        }
        results.push({ ...loads, agentCpuUs } as unknown as Round);
      }
      const isRate = shape.measure === "rate";
      const value = (load: Load) => isRate ? load.perSecond : load.p50Us;
      const ratio = median(results.map((round) => value(round.agent) / value(round.nginx)));
      const errors = results.reduce((sum, { agent }) => sum + agent.errors, 0);
      const reached = isRate ? ratio >= shape.must : ratio <= shape.must;
      failed ||= !reached || errors > 0;
      const figures = {
        shape: shape.name,
        measure: shape.measure,
        ratio: Number(ratio.toFixed(2)),
        must: shape.must,
        stretch: shape.stretch,
        reached,
        agent: Math.round(median(results.map(({ agent }) => value(agent)))),
        nginx: Math.round(median(results.map(({ nginx }) => value(nginx)))),
        direct: Math.round(median(results.map(({ direct }) => value(direct)))),
        cpuUs: Math.round(median(results.map(({ agentCpuUs }) => agentCpuUs))),
        errors,
        rssMb: Math.round(Deno.memoryUsage().rss / 1e6),
      };
      console.log(JSON.stringify(figures));
    }
    await agent.stop();
  } finally {
    for (const child of children) {
      child.kill("SIGTERM");
      await child.status;
    }
    await Deno.remove(folder, { recursive: true });
  }
  if (failed) Deno.exit(1);
}

if (import.meta.main) await main();
