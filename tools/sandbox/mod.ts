/**
 * @module
 * A small machine of its own on this one: a cgroup to attach to and two network namespaces joined by a cable, `vm` (the
 * agent and the callers) and `host` (the simulator, which owns the metadata addresses there). Used by the demo, the tests
 * on a real kernel and the bench. Everything it makes goes with it; nothing outside is touched.
 */

import { findCgroup2 } from "../setup/mod.ts";

/** The side of the cable on which a process runs. */
export type Side = "vm" | "host";

/** How to run a command. */
export interface RunOptions {
  /** Default `vm`. */
  readonly side?: Side;
  /** Real user and group to run as; default root. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Whether the process joins the sandbox's cgroup; default true on `vm`. */
  readonly inCgroup?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: "null" | "piped";
  readonly stdout?: "null" | "piped" | "inherit";
  readonly stderr?: "null" | "piped" | "inherit";
}

/** What a finished command said. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const VM_ADDRESS = "192.0.2.2";
const HOST_ADDRESS = "192.0.2.1";
const METADATA_ADDRESSES = ["168.63.129.16", "169.254.169.254"];
const COMMAND_LIMIT_MS = 60_000;

/** See the module. Make it with `await Sandbox.create()`, end it with `await using` or `close()`. */
export class Sandbox {
  private constructor(
    /** Part of all names that were made. */
    readonly name: string,
    /** Folder of the cgroup v2 to attach to. */
    readonly cgroup: string,
    /** A temporary folder for files. */
    readonly folder: string,
  ) {}

  readonly #children = new Set<Deno.ChildProcess>();

  /** Makes cgroup, namespaces and cable. @throws Error naming what is missing */
  static async create(label: string): Promise<Sandbox> {
    const name = `${label}${Deno.pid}x${Math.trunc(performance.now()) % 10_000}`;
    const mount = findCgroup2(await Deno.readTextFile("/proc/self/mountinfo"));
    if (mount === null) throw new Error("no cgroup v2 is mounted");
    const cgroup = `${mount.path}/${name}`;
    const sandbox = new Sandbox(name, cgroup, await Deno.makeTempDir({ prefix: `${name}-` }));
    try {
      await Deno.mkdir(cgroup);
      await sandbox.#wire();
      await Deno.chmod(sandbox.folder, 0o755);
    } catch (error) {
      await sandbox.close();
      throw error;
    }
    return sandbox;
  }

  /** Path of a network namespace, for `nsenter --net=`. */
  namespacePath(side: Side): string {
    return `/run/netns/${this.name}${side}`;
  }

  async #wire(): Promise<void> {
    for (const side of ["vm", "host"] as const) {
      await must(["ip", "netns", "add", `${this.name}${side}`]);
    }
    const [vm, host] = [`${this.name}vm`, `${this.name}host`];
    await must([
      ...["ip", "-n", vm, "link", "add", "eth0", "type", "veth"],
      ...["peer", "name", "eth0", "netns", host],
    ]);
    for (const namespace of [vm, host]) {
      await must(["ip", "-n", namespace, "link", "set", "lo", "up"]);
      await must(["ip", "-n", namespace, "link", "set", "eth0", "up"]);
    }
    await must(["ip", "-n", vm, "addr", "add", `${VM_ADDRESS}/30`, "dev", "eth0"]);
    await must(["ip", "-n", host, "addr", "add", `${HOST_ADDRESS}/30`, "dev", "eth0"]);
    for (const address of METADATA_ADDRESSES) {
      await must(["ip", "-n", host, "addr", "add", `${address}/32`, "dev", "lo"]);
    }
    await must(["ip", "-n", vm, "route", "add", "default", "via", HOST_ADDRESS]);
  }

  /** Starts a command inside. The process is ended with the sandbox at the latest. */
  spawn(command: readonly string[], options: RunOptions = {}): Deno.ChildProcess {
    const { argv, env } = this.#wrap(command, options);
    const child = new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: options.stdin ?? "null",
      stdout: options.stdout ?? "piped",
      stderr: options.stderr ?? "piped",
    }).spawn();
    this.#children.add(child);
    child.status.then(() => this.#children.delete(child));
    return child;
  }

  /** Runs a command inside to its end, 60 s at most. */
  async run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const child = this.spawn(command, options);
    const timer = setTimeout(() => kill(child, "SIGKILL"), COMMAND_LIMIT_MS);
    const { code, stdout, stderr } = await child.output();
    clearTimeout(timer);
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  #wrap(
    command: readonly string[],
    options: RunOptions,
  ): { argv: string[]; env: Record<string, string> } {
    const side = options.side ?? "vm";
    const join = (options.inCgroup ?? side === "vm")
      ? `echo $$ > ${this.cgroup}/cgroup.procs; exec "$@"`
      : `exec "$@"`;
    const asUser = options.user === undefined ? [] : [
      "setpriv",
      `--reuid=${options.user.uid}`,
      `--regid=${options.user.gid}`,
      "--clear-groups",
    ];
    return {
      argv: [
        ...["sh", "-c", join, "sh"],
        ...["nsenter", `--net=${this.namespacePath(side)}`],
        ...asUser,
        ...command,
      ],
      env: { ...options.env },
    };
  }

  /** Ends what still runs and removes what was made. */
  async close(): Promise<void> {
    for (const child of this.#children) kill(child, "SIGKILL");
    await Promise.allSettled([...this.#children].map((child) => child.status));
    await this.#unmount();
    await this.#emptyCgroup();
    for (const side of ["vm", "host"] as const) {
      await run(["ip", "netns", "del", `${this.name}${side}`]);
    }
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
  }

  /** Unmounts what an agent that was killed left mounted below the folder, and with it its pins. */
  async #unmount(): Promise<void> {
    const mounts = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((path) => path.startsWith(`${this.folder}/`));
    for (const path of mounts.reverse()) await run(["umount", "--lazy", path]);
  }

  /** Ends grandchildren that outlived their parents, then removes the cgroup. */
  async #emptyCgroup(): Promise<void> {
    for (let attempt = 0; attempt < 50; attempt++) {
      const left = await Deno.readTextFile(`${this.cgroup}/cgroup.procs`).catch(() => "");
      for (const pid of left.split("\n").filter((line) => line !== "")) {
        try {
          Deno.kill(Number(pid), "SIGKILL");
        } catch {
          // It ended by itself.
        }
      }
      try {
        await Deno.remove(this.cgroup);
        return;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It ended by itself.
  }
}

async function run(command: readonly string[]): Promise<Finished> {
  const { code, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function must(command: readonly string[]): Promise<void> {
  const { code, stderr } = await run(command);
  if (code !== 0) throw new Error(`\`${command.join(" ")}\` failed: ${stderr.trim()}`);
}
