import { BOUNDED_HEAP, denoEnvironment, LOCKED } from "../setup/mod.ts";
import { type RunOptions, Sandbox } from "./mod.ts";
import { SimulatorControl } from "./simulator_control.ts";

/** One line of the audit log, as far as the tools look at it. */
export interface AuditLine {
  readonly [key: string]: unknown;
}

/** What a world is made of. */
export interface WorldOptions {
  /** Part of the names of what is made. */
  readonly label: string;
  /** The agent's program and first arguments; default: this source tree under this Deno. */
  readonly program?: readonly string[];
  /** Keys of the agent's configuration beside or instead of the usual ones. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Flags of the simulator beside the usual ones. */
  readonly simulatorArgs?: readonly string[];
}

const READY_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 15_000;
const LOG_HEADER_CHARACTERS = 34;

/** The program out of this source tree. What it imports has been fetched: it never asks the registry about it again. */
export function sourceProgram(): readonly string[] {
  const main = new URL("../../main.ts", import.meta.url).pathname;
  return [Deno.execPath(), "run", "-A", BOUNDED_HEAP, "--cached-only", ...LOCKED, main];
}

/** A sandbox with a running simulator on the host's side and an agent, started and stopped at will, on the VM's. */
export class World {
  private constructor(
    readonly sandbox: Sandbox,
    readonly simulator: SimulatorControl,
    readonly program: readonly string[],
    /** Folder that holds logs, status document and audit log. */
    readonly logFolder: string,
    readonly keyFolder: string,
    readonly configFile: string,
  ) {}

  /** Variables of the environment of agents that are started from now on. */
  agentEnvironment: Readonly<Record<string, string>> = {};
  #agent: Deno.ChildProcess | null = null;

  /** Makes the sandbox and starts the simulator; the agent is not started yet. */
  static async create(options: WorldOptions): Promise<World> {
    const sandbox = await Sandbox.create(options.label);
    try {
      const program = options.program ?? sourceProgram();
      const control = `${sandbox.folder}/control.sock`;
      await spawnLogged(
        sandbox,
        [...program, "simulator", "--control", control, ...(options.simulatorArgs ?? [])],
        "simulator.out",
        { side: "host" },
      );
      const world = new World(
        sandbox,
        new SimulatorControl(control),
        program,
        `${sandbox.folder}/log`,
        `${sandbox.folder}/keys`,
        `${sandbox.folder}/config.json`,
      );
      await Deno.writeTextFile(
        world.configFile,
        JSON.stringify({
          logFolder: world.logFolder,
          eventFolder: `${world.logFolder}/events`,
          latchKeyFolder: world.keyFolder,
          monitorIntervalInSeconds: 60,
          pollKeyStatusIntervalInSeconds: 1,
          ebpfProgramName: "redirector.o",
          cgroupRoot: sandbox.cgroup,
          bpfFolder: `${sandbox.folder}/bpf`,
          controlSocket: `${sandbox.folder}/run/control.sock`,
          fileLogLevel: "Info",
          // The agent's own requests would stand in the host's journal between those of the callers.
          telemetryIntervalInSeconds: 3600,
          ...options.config,
        }),
      );
      await world.simulator.ready();
      return world;
    } catch (error) {
      await sandbox.close();
      throw error;
    }
  }

  /** Process id of the running agent; `null` when none runs. */
  get agentPid(): number | null {
    return this.#agent?.pid ?? null;
  }

  /** Starts the agent and waits until it has latched a key and redirects. @throws Error with the end of its output */
  async startAgent(): Promise<void> {
    await this.spawnAgent();
    await this.waitUntilReady();
  }

  /** Starts the agent without waiting. */
  async spawnAgent(): Promise<void> {
    this.#agent = await spawnLogged(
      this.sandbox,
      [...this.program, "console", "--config", this.configFile],
      "agent.out",
      { env: this.agentEnvironment },
    );
  }

  /** Waits until the agent answers that it is provisioned. @throws Error with the end of its output */
  async waitUntilReady(): Promise<void> {
    const until = performance.now() + READY_LIMIT_MS;
    while (performance.now() < until) {
      const probe = await this.sandbox.run([
        ...["curl", "-s", "-m", "2", "-H", "Metadata: true", "-H", "x-ms-azure-time-tick: 1"],
        "http://127.0.0.1:3080/provision",
      ], { inCgroup: false });
      if (probe.stdout.includes('"finished":true')) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the agent did not get ready; it said:\n${await this.agentOutput()}`);
  }

  /** What the agent wrote to its terminal. */
  async agentOutput(): Promise<string> {
    const text = await Deno.readTextFile(`${this.sandbox.folder}/agent.out`).catch(() => "");
    return text.slice(-4000);
  }

  /** Ends the agent at once. */
  async killAgent(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops the agent in order; its exit code. @throws Error when it does not stop in 15 s */
  async stopAgent(signal: "SIGTERM" | "SIGINT" = "SIGTERM"): Promise<number> {
    return await this.#end(signal);
  }

  async #end(signal: Deno.Signal): Promise<number> {
    const agent = this.#agent;
    if (agent === null) return 0;
    this.#agent = null;
    agent.kill(signal);
    const late = setTimeout(() => agent.kill("SIGKILL"), STOP_LIMIT_MS);
    const status = await agent.status;
    clearTimeout(late);
    if (signal !== "SIGKILL" && status.signal !== null) {
      throw new Error(`the agent did not stop in ${STOP_LIMIT_MS} ms`);
    }
    return status.code;
  }

  /** All lines of the audit log's current file, but one that met the end of a full disk. */
  async audit(): Promise<AuditLine[]> {
    const text = await Deno.readTextFile(`${this.logFolder}/ProxyAgent.Connection.log`)
      .catch(() => "");
    return text.split("\n")
      .map((line) => line.slice(LOG_HEADER_CHARACTERS))
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as AuditLine);
  }

  /** The status document. */
  async status(): Promise<Record<string, unknown>> {
    return JSON.parse(await Deno.readTextFile(`${this.logFolder}/status.json`));
  }

  /** Stops what runs and removes everything. */
  async close(): Promise<void> {
    await this.stopAgent().catch(() => {});
    await this.sandbox.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Starts a program inside whose output goes to a file, so that no pipe can fill up. */
async function spawnLogged(
  sandbox: Sandbox,
  command: readonly string[],
  fileName: string,
  options: RunOptions,
): Promise<Deno.ChildProcess> {
  const path = `${sandbox.folder}/${fileName}`;
  await Deno.writeTextFile(path, "");
  return sandbox.spawn(["sh", "-c", `exec "$@" >>${path} 2>&1`, "sh", ...command], {
    ...options,
    env: { ...denoEnvironment(), ...options.env },
    stdout: "null",
    stderr: "null",
  });
}
