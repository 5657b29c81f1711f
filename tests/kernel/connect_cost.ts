/** What the attached programs cost a connect() that does not concern them. */
import type { Sandbox } from "../../tools/sandbox/mod.ts";
import { compileBpf, compileProgram } from "./compile.ts";
import { bpftool } from "./kernel_objects.ts";

/** Kernel time added to an unrelated connect(), nanoseconds. */
export interface ConnectCost {
  /** Median of connect() without any program. */
  readonly plainNs: number;
  /** What our programs add: the median of the differences of neighbouring rounds, which see the same neighbours. */
  readonly addedNs: number;
  /** What programs of the same kinds add that do nothing: the kernel's own price for calling any. */
  readonly emptyNs: number;
  /** How often each of our programs ran for one connect(), and how long by the kernel's own clock, whose reading is included. */
  readonly programs: readonly {
    readonly name: string;
    readonly runs: number;
    readonly ns: number;
  }[];
}

interface ProgramStatistics {
  readonly id: number;
  readonly name: string;
  readonly run_time_ns?: number;
  readonly run_cnt?: number;
}

const ROUNDS = 9;
const CONNECTS = 10_000;
/** Nobody listens there: the whole way to the SYN and the reset that answers it. */
const UNRELATED = ["127.0.0.1", "9"] as const;
const STATISTICS = "/proc/sys/kernel/bpf_stats_enabled";
const EMPTY = [["connect4", "empty_connect4"], ["sock_ops", "empty_sockops"]] as const;

/** Measures in alternating rounds. `attach` and `detach` put our programs on the sandbox's cgroup and take them off. */
export async function measureConnectCost(
  sandbox: Sandbox,
  attach: () => Promise<unknown>,
  detach: () => Promise<unknown>,
): Promise<ConnectCost> {
  const program = await compileProgram("connect_cost.c", `${sandbox.folder}/connect_cost`);
  const once = async () => {
    const command = ["taskset", "-c", "0", program, ...UNRELATED, String(CONNECTS)];
    const { stdout, stderr } = await sandbox.run(command);
    if (stdout === "") throw new Error(`connect_cost: ${stderr}`);
    return (JSON.parse(stdout) as { medianNs: number }).medianNs;
  };
  const pins = await loadEmpty(sandbox);
  const plain: number[] = [];
  const empty: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await detach();
    plain.push(await once());
    await setEmpty(sandbox, pins, "attach");
    empty.push(await once());
    await setEmpty(sandbox, pins, "detach");
    await attach();
    ours.push(await once());
  }
  const added = (with_: readonly number[]) => median(with_.map((ns, at) => ns - plain[at]!));
  return {
    plainNs: median(plain),
    addedNs: added(ours),
    emptyNs: added(empty),
    programs: await measurePrograms(sandbox, once),
  };
}

async function loadEmpty(sandbox: Sandbox): Promise<string> {
  const pins = `${sandbox.folder}/empty`;
  await Deno.mkdir(pins);
  await sandbox.run(["mount", "-t", "bpf", "bpf", pins]);
  const object = await compileBpf("empty.bpf.c", `${sandbox.folder}/empty.o`);
  await bpftool("prog", "loadall", object, `${pins}/prog`);
  return pins;
}

async function setEmpty(sandbox: Sandbox, pins: string, verb: "attach" | "detach"): Promise<void> {
  for (const [type, name] of EMPTY) {
    const flags = verb === "attach" ? ["multi"] : [];
    await bpftool("cgroup", verb, sandbox.cgroup, type, "pinned", `${pins}/prog/${name}`, ...flags);
  }
}

async function measurePrograms(
  sandbox: Sandbox,
  once: () => Promise<unknown>,
): Promise<ConnectCost["programs"]> {
  const before = Deno.readTextFileSync(STATISTICS);
  Deno.writeTextFileSync(STATISTICS, "1");
  try {
    const start = await statistics(sandbox);
    await once();
    const end = await statistics(sandbox);
    return [...end].map(([id, now]) => {
      const runs = (now.run_cnt ?? 0) - (start.get(id)?.run_cnt ?? 0);
      const ns = (now.run_time_ns ?? 0) - (start.get(id)?.run_time_ns ?? 0);
      return { name: now.name, runs: runs / CONNECTS, ns: runs === 0 ? 0 : ns / runs };
    }).filter(({ runs }) => runs >= 0.5);
  } finally {
    Deno.writeTextFileSync(STATISTICS, before);
  }
}

/** Run counts and times of the programs on the sandbox's cgroup. */
async function statistics(sandbox: Sandbox): Promise<Map<number, ProgramStatistics>> {
  const { ino } = Deno.statSync(sandbox.cgroup);
  const links = await bpftool<{ cgroup_id?: number; prog_id: number }[]>("link", "list");
  const ours = new Set(links.filter((each) => each.cgroup_id === ino).map((each) => each.prog_id));
  const programs = await bpftool<ProgramStatistics[]>("prog", "list");
  return new Map(programs.filter(({ id }) => ours.has(id)).map((each) => [each.id, each]));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
