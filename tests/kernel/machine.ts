/** The machine that a kernel test plays on: the sandbox, the host's end of the cable, probes and callers. */
import assert from "node:assert/strict";
import { buildBpf } from "../../tools/build_bpf.ts";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { type RunOptions, Sandbox } from "../../tools/sandbox/mod.ts";
import { type KernelObjects, leftOver, listKernelObjects } from "./kernel_objects.ts";
import type { ProbeAnswer, ProbeOptions, ProbeOrder, Seen } from "./probe_protocol.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const FOLDER = `${ROOT}/tests/kernel`;
/** The system's own, which every user may execute. */
export const PYTHON = "/usr/bin/python3";
/** How long a caller or a probe may take to say its next word. */
const WORD_LIMIT_MS = 60_000;

/** What a caller knows of itself; see `facts` in caller.py. */
export interface Facts {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly startTicks: number;
  readonly cookie: string;
  readonly netns: string;
  readonly local: { readonly address: string; readonly port: number };
  readonly dialled: { readonly address: string; readonly port: number } | null;
}

/** What `tell` in caller.py prints. */
export interface Told {
  readonly me: Facts;
  readonly seen: Seen;
}

/** A process whose lines are read one by one. */
export class Talker {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array> | null;
  readonly #complaints: Promise<string>;
  #isClosed = false;

  constructor(child: Deno.ChildProcess, hasInput: boolean) {
    this.#child = child;
    this.#lines = linesOf(child.stdout);
    this.#input = hasInput ? child.stdin.getWriter() : null;
    this.#complaints = new Response(child.stderr).text();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The next line it prints. @throws Error when it ends instead, or says nothing for `limitMs` */
  async line(limitMs = WORD_LIMIT_MS): Promise<string> {
    const { value, done } = await within(this.#lines.next(), limitMs, "a line");
    if (done !== true) return value;
    throw new Error(`it ended without a word: ${await this.#complaints}`);
  }

  /** The next line as JSON. */
  async says<T>(): Promise<T> {
    return JSON.parse(await this.line());
  }

  /** Writes a line. */
  async hears(text = ""): Promise<void> {
    await this.#input?.write(new TextEncoder().encode(`${text}\n`));
  }

  kill(signal: Deno.Signal = "SIGKILL"): void {
    this.#child.kill(signal);
  }

  /** Closes its input and waits for its end; returns its exit code. */
  async ended(): Promise<number> {
    if (!this.#isClosed) await this.#input?.close().catch(() => {});
    this.#isClosed = true;
    while ((await within(this.#lines.next(), WORD_LIMIT_MS, "the end")).done !== true);
    await this.#complaints;
    return (await this.#child.status).code;
  }
}

/** The agent's side: see probe_server.ts. */
export class Probe extends Talker {
  /** @throws ProbeError when the probe says that it failed */
  async order<T = unknown>(order: ProbeOrder): Promise<T> {
    await this.hears(JSON.stringify(order));
    return await this.ready() as T;
  }

  async ready(): Promise<unknown> {
    const answer = await this.says<ProbeAnswer>();
    if (answer.ok) return answer.value;
    throw new ProbeError(answer.code, answer.message, answer.detail);
  }

  /** Detaches and ends, as a clean stop does. */
  async stop(): Promise<void> {
    await this.order({ do: "detach" });
    await this.leave();
  }

  /** Ends without detaching, so that what is pinned stays. */
  async leave(): Promise<void> {
    await this.order({ do: "end" });
    assert.equal(await this.ended(), 0);
  }
}

/** What a probe's order failed with. */
export class ProbeError extends Error {
  override readonly name = "ProbeError";
  constructor(readonly code: string, message: string, readonly detail: string) {
    super(`${message} ${detail}`);
  }
}

/** See the file. */
export class Machine {
  readonly #talkers: Talker[];

  private constructor(
    readonly sandbox: Sandbox,
    readonly objects: string,
    readonly host: Talker,
  ) {
    this.#talkers = [host];
  }

  static async create(): Promise<Machine> {
    const objects = await buildBpf(ROOT);
    const sandbox = await Sandbox.create("kt");
    try {
      const host = new Talker(
        sandbox.spawn(denoRun("host_server.ts"), {
          side: "host",
          stdin: "piped",
          env: denoEnvironment(),
        }),
        true,
      );
      assert.equal(await host.line(), "ready");
      return new Machine(sandbox, objects, host);
    } catch (error) {
      await sandbox.close();
      throw error;
    }
  }

  /** Starts a probe, and waits until it is attached. */
  async probe(options: Partial<ProbeOptions> = {}): Promise<Probe> {
    const probe = this.startProbe(options);
    await probe.ready();
    return probe;
  }

  /** Starts a probe without waiting for it. */
  startProbe(options: Partial<ProbeOptions> = {}): Probe {
    const all: ProbeOptions = {
      cgroup: this.sandbox.cgroup,
      bpfFolder: `${this.sandbox.folder}/bpf`,
      fullObject: `${this.objects}/redirector.o`,
      noTaskObject: `${this.objects}/redirector_no_task.o`,
      userConnectionLimit: 4096,
      rootConnectionLimit: 16384,
      staleAfterMs: 5000,
      targets: { imds: "enforce", wireserver: "enforce", hostga: "enforce" },
      listen: true,
      attach: true,
      ...options,
    };
    const command = denoRun("probe_server.ts", JSON.stringify(all));
    const probe = new Probe(
      this.sandbox.spawn(command, { stdin: "piped", env: denoEnvironment() }),
      true,
    );
    this.#talkers.push(probe);
    return probe;
  }

  /** Runs Python code that has caller.py at hand to its end, and returns the JSON it printed last. */
  async python<T>(code: string, options: RunOptions = {}): Promise<T> {
    const { code: exit, stdout, stderr } = await this.sandbox.run(
      [PYTHON, "-c", callerCode(code)],
      options,
    );
    assert.equal(exit, 0, stderr);
    return JSON.parse(stdout.trimEnd().split("\n").at(-1) || "null");
  }

  /** Starts such code as a process to talk to. */
  caller(code: string, options: RunOptions = {}): Talker {
    return this.talk([PYTHON, "-c", callerCode(code)], options);
  }

  /** Starts a program to talk to. */
  talk(command: readonly string[], options: RunOptions = {}): Talker {
    const talker = new Talker(this.sandbox.spawn(command, { ...options, stdin: "piped" }), true);
    this.#talkers.push(talker);
    return talker;
  }

  /** Connections that reached the host's end of the cable so far. */
  async hostConnections(): Promise<number> {
    await this.host.hears();
    return Number(await this.host.line());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox.close();
    for (const talker of this.#talkers) await talker.ended();
  }
}

/** A test on a machine of its own, after which nothing of it may be left in the kernel. */
export function kernelTest(name: string, run: (machine: Machine) => Promise<void>): void {
  Deno.test({
    name,
    async fn() {
      const before: KernelObjects = await listKernelObjects();
      const machine = await Machine.create();
      try {
        await run(machine);
      } finally {
        await machine[Symbol.asyncDispose]();
      }
      assert.deepEqual(await leftOver(before, machine.sandbox.name), []);
    },
  });
}

/** Waits until `holds`, 5 s at most. */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 250; attempt++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`did not come to pass: ${what}`);
}

function callerCode(code: string): string {
  return `${Deno.readTextFileSync(`${FOLDER}/caller.py`)}\n${code}`;
}

function denoRun(file: string, ...args: string[]): string[] {
  return [
    Deno.execPath(),
    ...["run", "--no-check", "--no-lock", "--cached-only", "-A"],
    `${FOLDER}/${file}`,
    ...args,
  ];
}

async function* linesOf(bytes: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of bytes) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
}

async function within<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`waited too long for ${what}`)),
    limitMs,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
