/**
 * What every test of the whole agent starts from: a world with simulator and agent in a sandbox of its own, a time limit,
 * and a look at the end whether anything was left behind.
 */
import assert from "node:assert/strict";
import { buildBpf } from "../../tools/build_bpf.ts";
import type { JournalLine } from "../../src/simulator/journal.ts";
import type { VerdictCounts } from "../../src/simulator/host.ts";
import type { EndpointName } from "../../src/domain/wire/endpoints.ts";
import type { RunOptions } from "../../tools/sandbox/mod.ts";
import { type AuditLine, World, type WorldOptions } from "../../tools/sandbox/world.ts";
import { kernelObjectsOf, stillThere } from "../../tools/demo/kernel_objects.ts";
import { named, objectsOfProcess } from "../kernel/kernel_objects.ts";
import { PYTHON, Talker } from "../kernel/machine.ts";
import { type Answer, parseAnswer } from "./answer.ts";

export const ROOT_FOLDER = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const FOLDER = `${ROOT_FOLDER}/tests/e2e`;

/** An ordinary user. */
export const NOBODY = { uid: 65534, gid: 65534 } as const;

export const IMDS = "169.254.169.254";
export const WIRESERVER = "168.63.129.16";
/** A target that IMDS answers with 200, and one of WireServer. */
export const INSTANCE = "/metadata/instance?api-version=2021-02-01";
export const VERSIONS = "/?comp=versions";

const DEFAULT_LIMIT_MS = 60_000;
const LAST_LINES = 25;

export interface SceneOptions extends Partial<WorldOptions> {
  /** The test fails after this long. */
  readonly limitMs?: number;
  /** Whether the agent is started before the test begins; default true. */
  readonly started?: boolean;
}

/** What the simulated host saw and the agent recorded during something. */
export interface Observed<T> {
  readonly value: T;
  readonly host: readonly JournalLine[];
  readonly audit: readonly AuditLine[];
}

/** A running test. */
export class Scene {
  constructor(readonly context: Deno.TestContext, readonly world: World) {}

  /** A part of the test that is reported on its own; whether it passed. */
  step(name: string, run: () => Promise<void>): Promise<boolean> {
    return this.context.step(name, run);
  }

  /** What both ends saw of `act`. */
  async observe<T>(act: () => Promise<T>): Promise<Observed<T>> {
    const { simulator } = this.world;
    const since = await simulator.lastEntry();
    const written = (await this.world.audit()).length;
    const value = await act();
    return {
      value,
      host: await simulator.requestsSince(since),
      audit: (await this.world.audit()).slice(written),
    };
  }

  /** curl, with the answer's head and body; `null` when there was none. */
  async curl(
    args: readonly string[],
    options: RunOptions = {},
  ): Promise<{ code: number; answer: Answer | null }> {
    const { code, stdout } = await this.world.sandbox.run(
      ["curl", "-s", "-i", "-g", "-m", "30", ...args],
      options,
    );
    return { code, answer: stdout === "" ? null : parseAnswer(stdout) };
  }

  /** The status that curl gets for a GET with the `Metadata` field; 0 for none. */
  async statusOf(url: string, options: RunOptions = {}): Promise<number> {
    const { answer } = await this.curl(["-H", "Metadata: true", url], options);
    return answer?.status ?? 0;
  }

  /** Puts a file of this folder where every user can read it. */
  async place(file: string): Promise<string> {
    const path = `${this.world.sandbox.folder}/${file.slice(file.lastIndexOf("/") + 1)}`;
    await Deno.copyFile(`${FOLDER}/${file}`, path);
    await Deno.chmod(path, 0o644);
    return path;
  }

  /** Starts a program of this folder in the system's Python, to talk to. */
  async python(file: string, args: readonly string[], options: RunOptions = {}): Promise<Talker> {
    const command = [PYTHON, await this.place(file), ...args];
    return new Talker(this.world.sandbox.spawn(command, { ...options, stdin: "piped" }), true);
  }

  /** Arms the simulator's faults; none takes them away. */
  async faults(...faults: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
    await this.world.simulator.call("PUT", "/faults", faults);
  }

  /** Sets the modes of the two items, `null` for a channel that is not enabled. */
  async setModes(modes: { wireserver: string; imds: string } | null): Promise<void> {
    const item = (mode: string, name: string) => ({
      defaultAccess: "allow",
      mode,
      id: `${name}-${mode}`,
    });
    await this.world.simulator.call("PUT", "/policy", {
      version: "2.0",
      secureChannelEnabled: modes !== null,
      ...(modes !== null && {
        authorizationRules: {
          wireserver: item(modes.wireserver, "wireserver"),
          imds: item(modes.imds, "imds"),
        },
      }),
    });
  }

  /** What was made of the signatures of all requests so far. */
  async verdicts(): Promise<Record<EndpointName, VerdictCounts>> {
    const state = await this.world.simulator.call("GET", "/state") as {
      requests: Record<EndpointName, VerdictCounts>;
    };
    return state.requests;
  }

  /** Programs, maps and links in the kernel that belong to this agent, as `prog 12`: held by it or on its cgroup. */
  async kernelObjects(): Promise<string[]> {
    const { agentPid, sandbox } = this.world;
    const held = agentPid === null ? [] : objectsOfProcess(agentPid);
    return [...new Set([...held, ...await kernelObjectsOf(sandbox.cgroup)])];
  }

  /** Lines of the agent's own log that hold `text`. */
  async logLines(text: string): Promise<string[]> {
    const log = await Deno.readTextFile(`${this.world.logFolder}/ProxyAgent.log`).catch(() => "");
    return log.split("\n").filter((line) => line.includes(text));
  }

  /** `status` and `message` of a module in the status document. */
  async moduleStatus(name: string): Promise<{ status: string; message: string }> {
    const status = await this.world.status();
    const inner = status["proxyAgentStatus"] as Record<string, unknown>;
    return inner[name] as { status: string; message: string };
  }
}

/** A test in a world of its own. Whatever it makes is gone afterwards, or it fails. */
export function e2eTest(
  name: string,
  options: SceneOptions,
  run: (scene: Scene) => Promise<void>,
): void {
  Deno.test(name, async (context) => {
    const { limitMs = DEFAULT_LIMIT_MS, started = true, label = "e2e", ...rest } = options;
    await buildBpf(ROOT_FOLDER);
    const world = await World.create({ label, ...rest });
    const scene = new Scene(context, world);
    let objects: readonly string[] = [];
    try {
      if (started) await world.startAgent();
      await within(run(scene), limitMs);
    } catch (error) {
      console.log(await lastWords(world));
      throw error;
    } finally {
      objects = await scene.kernelObjects();
      await world.close();
    }
    assert.deepEqual(await stillThere(objects), []);
    assert.deepEqual(await named(world.sandbox.name), []);
  });
}

/** Waits until `holds`. @throws Error after `limitMs` */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  for (const end = performance.now() + limitMs;;) {
    if (await holds()) return;
    if (performance.now() > end) throw new Error(`did not come to pass in ${limitMs} ms: ${what}`);
    await pause(50);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The promise, or an error when it takes longer than `limitMs`. */
export async function within<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not done in ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A member of a process's `status` file in kB, such as `VmRSS`. */
export function memoryKb(pid: number, name: "VmRSS" | "VmHWM" | "RssAnon" | "RssFile"): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? NaN);
}

/** Descriptors that a process holds. */
export function descriptorCount(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

async function lastWords(world: World): Promise<string> {
  const log = await Deno.readTextFile(`${world.logFolder}/ProxyAgent.log`).catch(() => "");
  const lines = log.trimEnd().split("\n").slice(-LAST_LINES).join("\n");
  return `the agent's terminal:\n${await world.agentOutput()}\nthe end of its log:\n${lines}`;
}
