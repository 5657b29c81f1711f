import type { RunOptions } from "../sandbox/mod.ts";
import { denoEnvironment, LOCKED } from "../setup/mod.ts";
import { World } from "../sandbox/world.ts";
import { buildClients, type Clients } from "./clients.ts";
import { DOCUMENT, PROXY_PORT, SIGNATURE_PATH, startHost, startProxy } from "./nginx.ts";

/** An ordinary user: nobody. */
export const ORDINARY = { uid: 65534, gid: 65534 };
/** The simulator leaves the metadata address to nginx. */
const SIMULATED_IMDS = "192.0.2.1:8090";
const PATH = "/metadata/instance?api-version=2021-02-01";
const METADATA_ADDRESS = "169.254.169.254";
const METADATA = `http://${METADATA_ADDRESS}`;

/** The ways to the host that are compared. */
export const CANDIDATES = ["direct", "nginx", "agent"] as const;
/** Proxies of least effort, see parts/floor.ts. */
export const FLOORS = ["serve", "bare", "codec"] as const;
export type Floor = typeof FLOORS[number];
export type Candidate = typeof CANDIDATES[number] | Floor;

/** How a candidate is asked: what to dial, and from where. */
interface Route {
  readonly url: string;
  readonly options: RunOptions;
}

const FLOOR_PORTS: Readonly<Record<Floor, number>> = { serve: 8091, bare: 8092, codec: 8093 };
const OUTSIDE: RunOptions = { inCgroup: false, user: ORDINARY };
const onPort = (port: number): Route => ({
  url: `http://127.0.0.1:${port}${PATH}`,
  options: OUTSIDE,
});
export const ROUTES: Readonly<Record<Candidate, Route>> = {
  direct: { url: `${METADATA}${PATH}`, options: OUTSIDE },
  nginx: onPort(PROXY_PORT),
  agent: { url: `${METADATA}${PATH}`, options: { user: ORDINARY } },
  serve: onPort(FLOOR_PORTS.serve),
  bare: onPort(FLOOR_PORTS.bare),
  codec: onPort(FLOOR_PORTS.codec),
};

/** The sandbox with everything in it that takes part in a measurement; the agent is started and stopped at will. */
export class BenchStage {
  private constructor(
    readonly world: World,
    readonly clients: Clients,
    readonly proxyPid: number,
    /** A cgroup beside the sandbox's own, to which nothing is attached. */
    readonly plainCgroup: string,
  ) {}

  /** `objects` is the folder with the compiled kernel programs. */
  static async create(program: readonly string[], objects: string): Promise<BenchStage> {
    const world = await World.create({
      label: "bench",
      simulatorArgs: ["--bind-imds", SIMULATED_IMDS],
      program,
      config: {
        ebpfFileFullPath: `${await Deno.realPath(objects)}/redirector.o`,
        // As on a VM: what is measured at rest depends on it.
        pollKeyStatusIntervalInSeconds: 15,
        telemetryIntervalInSeconds: 60,
      },
    });
    try {
      const clients = await buildClients(world.sandbox.folder);
      await startHost(world.sandbox);
      const proxy = await startProxy(world.sandbox);
      const plainCgroup = `${world.sandbox.cgroup}plain`;
      await Deno.mkdir(plainCgroup);
      return new BenchStage(world, clients, proxy.pid, plainCgroup);
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** Process id of the running agent. @throws Error when none runs */
  get agentPid(): number {
    const pid = this.world.agentPid;
    if (pid === null) throw new Error("the agent does not run");
    return pid;
  }

  readonly #floorPids = new Map<Floor, number>();

  /** Starts the proxies of least effort. */
  async startFloors(): Promise<void> {
    const path = new URL("./parts/floor.ts", import.meta.url).pathname;
    for (const floor of FLOORS) {
      const child = this.world.sandbox.spawn([
        ...[Deno.execPath(), "run", "-A", ...LOCKED, path],
        ...[floor, String(FLOOR_PORTS[floor]), METADATA_ADDRESS],
      ], { inCgroup: false, env: denoEnvironment(), stderr: "null" });
      const reader = child.stdout.getReader();
      await reader.read();
      reader.releaseLock();
      this.#floorPids.set(floor, child.pid);
    }
  }

  /** The process whose processor time a candidate costs; `null` where there is none in between. */
  pidOf(candidate: Candidate): number | null {
    switch (candidate) {
      case "direct":
        return null;
      case "nginx":
        return this.proxyPid;
      case "agent":
        return this.agentPid;
      default:
        return this.#floorPids.get(candidate) ?? null;
    }
  }

  /** Asks each candidate once. @throws Error when one does not answer as it must, or the agent does not sign */
  async checkRoutes(): Promise<void> {
    for (const candidate of CANDIDATES) {
      const { url, options } = ROUTES[candidate];
      const curl = ["curl", "-s", "-m", "5", "-H", "Metadata: true"];
      const body = await this.world.sandbox.run([...curl, url], options);
      if (body.stdout !== DOCUMENT) {
        throw new Error(`${candidate} did not answer: ${body.code} ${body.stdout.slice(0, 200)}`);
      }
      const signed = new URL(SIGNATURE_PATH, url).href;
      const { stdout } = await this.world.sandbox.run([...curl, signed], options);
      if ((stdout !== "") !== (candidate === "agent")) {
        throw new Error(
          `a request by ${candidate} arrived with the signature \`${stdout !== ""}\``,
        );
      }
    }
  }

  /** Stops what runs and removes everything. */
  async close(): Promise<void> {
    await Deno.remove(this.plainCgroup).catch(() => {});
    await this.world.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
