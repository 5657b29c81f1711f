import { bpftoolPath } from "../setup/mod.ts";

const FREED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 50;

async function list<T>(kind: string): Promise<T[]> {
  const bpftool = bpftoolPath();
  if (bpftool === null) throw new Error("bpftool is missing");
  const { stdout } = await new Deno.Command(bpftool, { args: ["-j", kind, "list"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout).trim() || "[]") as T[];
}

/** Everything that hangs on a cgroup in the kernel, by name: links, their programs, the programs' maps. */
export async function kernelObjectsOf(cgroup: string): Promise<string[]> {
  const cgroupId = (await Deno.stat(cgroup)).ino;
  const links = (await list<{ id: number; prog_id: number; cgroup_id?: number }>("link"))
    .filter((link) => link.cgroup_id === cgroupId);
  const programs = (await list<{ id: number; map_ids?: number[] }>("prog"))
    .filter((program) => links.some((link) => link.prog_id === program.id));
  const maps = new Set(programs.flatMap((program) => program.map_ids ?? []));
  return [
    ...links.map((link) => `link ${link.id}`),
    ...programs.map((program) => `prog ${program.id}`),
    ...[...maps].map((id) => `map ${id}`),
  ];
}

/** Those of `objects` that are still there; the kernel frees some a moment later and is asked for two seconds. */
export async function stillThere(objects: readonly string[]): Promise<string[]> {
  for (const until = performance.now() + FREED_WITHIN_MS;;) {
    const now = new Set<string>();
    for (const kind of ["link", "prog", "map"]) {
      for (const { id } of await list<{ id: number }>(kind)) now.add(`${kind} ${id}`);
    }
    const left = objects.filter((object) => now.has(object));
    if (left.length === 0 || performance.now() > until) return left;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
