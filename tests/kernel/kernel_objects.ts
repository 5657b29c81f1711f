/** What BPF programs, maps and links there are, so that a test can tell what it left behind. */
import { bpftoolPath } from "../../tools/setup/mod.ts";

/** Ids by kind. */
export interface KernelObjects {
  readonly prog: ReadonlySet<number>;
  readonly map: ReadonlySet<number>;
  readonly link: ReadonlySet<number>;
}

const KINDS = ["prog", "map", "link"] as const;
const LIST_ATTEMPTS = 10;
const SETTLE_ATTEMPTS = 100;
const SETTLE_MS = 50;

/**
 * Runs bpftool and returns what it prints as JSON. A list is asked for again when it fails: an object that goes while it
 * is listed makes the whole list an error.
 */
export async function bpftool<T>(...args: readonly string[]): Promise<T> {
  const path = bpftoolPath();
  if (path === null) throw new Error("there is no bpftool");
  for (let attempt = 1;; attempt++) {
    const { success, stdout, stderr } = await new Deno.Command(path, { args: ["-j", ...args] })
      .output();
    const text = new TextDecoder().decode(stdout).trim();
    if (success) return text === "" ? [] as T : JSON.parse(text);
    if (args[1] !== "list" || attempt === LIST_ATTEMPTS) {
      throw new Error(`bpftool ${args.join(" ")}: ${new TextDecoder().decode(stderr)}${text}`);
    }
  }
}

/** All of the machine. */
export async function listKernelObjects(): Promise<KernelObjects> {
  const ids = async (kind: typeof KINDS[number]) =>
    new Set((await bpftool<{ id: number }[]>(kind, "list")).map((each) => each.id));
  return { prog: await ids("prog"), map: await ids("map"), link: await ids("link") };
}

/**
 * What is there now and was not before: kernel objects that no other living process holds, and namespaces, cgroups and
 * mounts that bear the machine's name. The kernel frees some of it a moment later, so it is asked for up to 5 s; what is
 * gone, or is held by somebody, at any of these times is not ours: others may play on the same machine.
 */
export async function leftOver(before: KernelObjects, name: string): Promise<string[]> {
  let left: string[] | null = null;
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt++) {
    const now = await listKernelObjects();
    const fresh = KINDS.flatMap((kind) =>
      [...now[kind]].filter((id) => !before[kind].has(id)).map((id) => `${kind} ${id}`)
    );
    const held = fresh.length === 0 ? new Set<string>() : await objectsInUse();
    const here = [...fresh.filter((each) => !held.has(each)), ...await named(name)];
    left = left === null ? here : left.filter((each) => here.includes(each));
    if (left.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }
  return await Promise.all((left ?? []).map(describe));
}

/** The object with its type and name, where it is still there. */
async function describe(object: string): Promise<string> {
  const [kind = "", id = ""] = object.split(" ");
  if (!(KINDS as readonly string[]).includes(kind)) return object;
  const { type, name } = await bpftool<{ type?: string; name?: string }>(kind, "show", "id", id)
    .catch(() => ({ type: "gone", name: "by now" }));
  return `${object}: ${type} ${name}`;
}

/** Objects that some process has a descriptor of, with the maps of its programs: they are not ours. */
async function objectsInUse(): Promise<Set<string>> {
  const held = new Set<string>();
  for (const { name: pid } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    for (const object of objectsOfProcess(pid)) held.add(object);
  }
  for (
    const { id, map_ids } of await bpftool<{ id: number; map_ids?: number[] }[]>("prog", "list")
  ) {
    if (held.has(`prog ${id}`)) map_ids?.forEach((map) => held.add(`map ${map}`));
  }
  return held;
}

/** Objects that a process has a descriptor of, as `prog 12`. */
export function objectsOfProcess(pid: number | string): string[] {
  return descriptorTexts(String(pid)).flatMap((info) =>
    [...info.matchAll(/^(prog|map|link)_id:\s*(\d+)/gm)].map(([, kind, id]) => `${kind} ${id}`)
  );
}

function descriptorTexts(pid: string): string[] {
  try {
    const folder = `/proc/${pid}/fdinfo`;
    return [...Deno.readDirSync(folder)].map(({ name }) =>
      Deno.readTextFileSync(`${folder}/${name}`)
    );
  } catch {
    return []; // It ended meanwhile.
  }
}

/** Namespaces, folders, cgroups and mounts that bear the name. */
export async function named(name: string): Promise<string[]> {
  const left: string[] = [];
  for (const folder of ["/run/netns", "/tmp", "/opt", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"]) {
    for (const entry of await entries(folder)) {
      if (entry.startsWith(name)) left.push(`${folder}/${entry}`);
    }
  }
  for (const line of Deno.readTextFileSync("/proc/self/mountinfo").split("\n")) {
    if (line.includes(name)) left.push(line);
  }
  return left;
}

async function entries(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name);
  } catch {
    return [];
  }
}
