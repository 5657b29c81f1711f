/**
 * The agent's kernel side alone, for tests: attaches the redirector to the sandbox's cgroup, listens where callers are
 * sent, and answers each request with what is known about its sender. Runs inside the sandbox; ordered about by stdin.
 */
import { Libbpf } from "../../ffi/libbpf.ts";
import { Libc } from "../../ffi/libc.ts";
import type { InspectedProcess } from "../../src/agent/caller/inspector.ts";
import type { Redirector } from "../../src/agent/redirector/redirector.ts";
import type { Attribution } from "../../src/domain/identity/connection_record.ts";
import type { RedactedText } from "../../src/domain/identity/caller.ts";
import { ENDPOINTS } from "../../src/domain/wire/endpoints.ts";
import { LinuxRedirector } from "../../src/platform/linux/linux_redirector.ts";
import { ProcessInspector } from "../../src/platform/linux/process_inspector.ts";
import { AgentError } from "../../src/runtime/errors.ts";
import { SystemClock } from "../../src/runtime/system_clock.ts";
import { MemoryLogger } from "../fakes/memory_logger.ts";
import { ClaimsCheck } from "./claims_check.ts";
import type { ProbeAnswer, ProbeOptions, ProbeOrder } from "./probe_protocol.ts";

const BEAT_MS = 500;
const BACKLOG = 16_384;
const DESCRIPTORS = 65_536;

/** Everything that `JSON.stringify` needs to know about big integers. */
function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, inner) => typeof inner === "bigint" ? String(inner) : inner,
  ) ?? "null";
}

class Probe {
  readonly #options: ProbeOptions;
  readonly #libc = new Libc();
  readonly #log = new MemoryLogger();
  readonly #redirector: Redirector;
  readonly #inspector: ProcessInspector;
  readonly #inspected = new Map<string, InspectedProcess>();
  readonly #records = new Map<string, Attribution & { kind: "redirected" }>();
  readonly #claims = new ClaimsCheck();
  #beating = true;

  constructor(options: ProbeOptions) {
    this.#options = options;
    const libbpf = new Libbpf(
      this.#libc,
      (level, text) => this.#log.child("libbpf")[level](text),
    );
    this.#redirector = new LinuxRedirector(
      this.#libc,
      libbpf,
      {
        cgroupRoot: options.cgroup,
        bpfFolder: options.bpfFolder,
        readObject: (variant) =>
          Deno.readFileSync(variant === "full" ? options.fullObject : options.noTaskObject),
        endpoints: ENDPOINTS,
        userConnectionLimit: options.userConnectionLimit,
        rootConnectionLimit: options.rootConnectionLimit,
        staleAfterMs: options.staleAfterMs,
      },
      this.#log,
    );
    const clock = new SystemClock({ bootNs: () => this.#libc.bootNs() });
    this.#inspector = new ProcessInspector(this.#libc, clock, (text) => text as RedactedText);
  }

  async start(): Promise<void> {
    this.#libc.raiseDescriptorLimit(DESCRIPTORS);
    if (this.#options.listen) this.#listen();
    if (this.#options.targets !== null) this.#redirector.setTargets(this.#options.targets);
    if (this.#options.attach) await this.#redirector.attach(new AbortController().signal);
    this.#redirector.beat();
    const timer = setInterval(() => {
      if (this.#beating) this.#redirector.beat();
    }, BEAT_MS);
    Deno.unrefTimer(timer);
  }

  #listen(): void {
    const { address: hostname, port } = ENDPOINTS.listener;
    const server = Deno.serve(
      { hostname, port, tcpBacklog: BACKLOG, onListen: () => {} },
      (request, info) => this.#answer(request, info.remoteAddr),
    );
    server.unref();
  }

  #answer(request: Request, from: Deno.NetAddr): Response {
    const peer = { address: from.hostname, port: from.port };
    const attribution = this.#redirector.attribute(peer);
    const claims = request.headers.get("x-claims");
    if (claims !== null) return new Response(this.#claims.judge(claims, attribution));
    if (attribution.kind !== "redirected") {
      return new Response(toJson({ by: "agent", peer, ...attribution }));
    }
    const { record } = attribution;
    const cookie = String(record.cookie);
    this.#records.set(cookie, attribution);
    let process = this.#inspected.get(cookie);
    if (process === undefined) {
      process = this.#inspector.inspect(record);
      this.#inspected.set(cookie, process);
    }
    return new Response(
      toJson({ by: "agent", peer, ...attribution, process: view(process) }),
    );
  }

  async obey(order: ProbeOrder): Promise<unknown> {
    switch (order.do) {
      case "attach":
        return await this.#redirector.attach(new AbortController().signal);
      case "attribute":
        return this.#redirector.attribute(order);
      case "beat":
        this.#beating = order.on;
        return null;
      case "check":
        return this.#inspected.get(order.cookie)?.check() ?? null;
      case "descriptors":
        return [...Deno.readDirSync("/proc/self/fd")].length;
      case "detach":
        return await this.#redirector.detach();
      case "dial":
        return await (await fetch(order.url)).json();
      case "end":
        return null;
      case "inspect":
        return this.#redirector.inspect();
      case "log":
        return this.#log.lines;
      case "process": {
        const known = this.#records.get(order.cookie);
        return known === undefined ? null : view(this.#inspector.inspect(known.record));
      }
      case "tally":
        return this.#claims.tally();
      case "targets":
        return this.#redirector.setTargets(order.modes);
    }
  }
}

function view(process: InspectedProcess): unknown {
  return { exe: process.exe, commandLine: process.commandLine, check: process.check() };
}

async function main(): Promise<void> {
  const probe = new Probe(JSON.parse(Deno.args[0] ?? "{}"));
  await say(() => probe.start());
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  let text = "";
  for await (const chunk of lines) {
    text += chunk;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      const order: ProbeOrder = JSON.parse(text.slice(0, end));
      text = text.slice(end + 1);
      await say(() => probe.obey(order));
      if (order.do === "end") return;
    }
  }
}

async function say(act: () => Promise<unknown>): Promise<void> {
  let answer: ProbeAnswer;
  try {
    answer = { ok: true, value: await act() ?? null };
  } catch (error) {
    answer = {
      ok: false,
      code: error instanceof AgentError ? error.code : "",
      message: error instanceof Error ? error.message : String(error),
      detail: error instanceof AgentError ? toJson(error.detail) : "",
    };
  }
  await Deno.stdout.write(new TextEncoder().encode(`${toJson(answer)}\n`));
}

if (import.meta.main) await main();
