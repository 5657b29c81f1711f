import { errnoName } from "../../../ffi/errno.ts";
import type { Fd } from "../../../ffi/handle.ts";
import { type BpfMap, Libbpf } from "../../../ffi/libbpf.ts";
import { Libc } from "../../../ffi/libc.ts";
import { StructBuffer } from "../../../ffi/struct.ts";
import type { SocketAddress } from "../../domain/wire/endpoints.ts";
import type {
  AttachPoint,
  Diagnostics,
  DiagnosticsOptions,
  Dialled,
  KernelView,
  LinkFacts,
  PlacedProgram,
  PlacedPrograms,
  ProgramFacts,
  RedirectionFacts,
  Space,
  TargetFacts,
} from "../diagnostics.ts";
import { candidatePaths } from "./bpf_objects.ts";
import {
  linkPin,
  type MapName,
  mapPin,
  MAPS,
  PROGRAMS,
  RECORD_CAPACITY,
} from "./linux_redirector.ts";
import { CGROUP2_MAGIC, findCgroup, OWN_BPF_MOUNT } from "./mounts.ts";
import { processStartTicks } from "./process_start.ts";
import {
  addressAt,
  COUNTERS,
  SETTINGS,
  TARGET,
  TARGET_ACTION,
  TARGET_KEY,
} from "./record_layout.ts";
import { rulesFolder } from "./rule_files.ts";

const BPF_FS_MAGIC = 0xcafe4a11;
const U32_BYTES = 4;
const U64_BYTES = 8;
const NS_PER_MS = 1_000_000n;
const MAX_TARGETS = 64;
const MAX_USERS_LISTED = 4096;

/** Names of the attach points, by their number. */
const POINT_NAMES: Readonly<Record<string, string>> = Object.freeze({
  follow_socket: "sockops",
  show_peer4: "getpeername4",
  show_peer6: "getpeername6",
  guard_bind4: "bind4",
  guard_bind6: "bind6",
  redirect_connect4: "connect4",
  redirect_connect6: "connect6",
});

/** Those of our programs beside which another one can send a connection elsewhere. */
const CONNECT_PROGRAMS = PROGRAMS.filter(([program]) => program.startsWith("redirect_"));
/** Cgroups that are looked at below the agent's; a machine with more is told so. */
const MOST_CGROUPS_BELOW = 2_000;

/** Opens what Linux knows of an agent. Libraries that are not there are told, not thrown. */
export function openLinuxDiagnostics(options: DiagnosticsOptions): Diagnostics {
  const { bpfObjects } = options;
  return {
    kernel: openKernelView(options),
    rulesFolder: rulesFolder(options.keyFolder),
    bpfObjects: {
      full: candidatePaths(bpfObjects, "full"),
      "no-task-reads": candidatePaths(bpfObjects, "no-task-reads"),
    },
  };
}

function openKernelView(options: DiagnosticsOptions): Diagnostics["kernel"] {
  try {
    const libc = new Libc();
    return new LinuxKernelView(libc, new Libbpf(libc, () => {}), options);
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

/** Reads links, maps and attach points. It opens what is pinned and writes nothing. */
export class LinuxKernelView implements KernelView {
  readonly #libc: Libc;
  readonly #libbpf: Libbpf;
  readonly #options: Pick<DiagnosticsOptions, "cgroupRoot" | "bpfFolder">;

  constructor(
    libc: Libc,
    libbpf: Libbpf,
    options: Pick<DiagnosticsOptions, "cgroupRoot" | "bpfFolder">,
  ) {
    this.#libc = libc;
    this.#libbpf = libbpf;
    this.#options = options;
  }

  cgroup(): string {
    return findCgroup(this.#libc, this.#options.cgroupRoot);
  }

  space(path: string): Space {
    return this.#libc.fileSystemSpace(path);
  }

  clockDiscipline(): { readonly isSynchronised: boolean; readonly maxErrorMs: number } {
    return this.#libc.clockDiscipline();
  }

  deviceClockAheadMs(path: string): number {
    return this.#libc.deviceClockMs(path) - Date.now();
  }

  dial(to: SocketAddress, mapped: boolean): Dialled {
    const { errno, localAddress } = this.#libc.dialOnce(
      to.address.split(".").map(Number),
      to.port,
      mapped,
    );
    return { error: errno === 0 ? null : errnoName(errno), localAddress };
  }

  redirection(): RedirectionFacts {
    const path = this.cgroup();
    using cgroup = this.#libc.openFolderForReading(path);
    const cgroupId = String(Deno.statSync(path).ino ?? 0);
    const folder = this.#pinsParent();
    const pins = folder === null ? null : `${folder}/${cgroupId}`;
    const maps = pins === null ? new Map<MapName, BpfMap>() : this.#openMaps(pins);
    try {
      return {
        pinFolder: pins,
        otherPinFolders: folder === null ? [] : otherFolders(folder, cgroupId),
        missingMaps: MAPS.filter((name) => !maps.has(name)),
        links: PROGRAMS.map(([program, attachType]) =>
          this.#link(program, attachType, BigInt(cgroupId), pins)
        ),
        attachPoints: PROGRAMS.map(([program, attachType]) =>
          this.#attachPoint(pointName(program), cgroup, attachType)
        ),
        agent: settingsOf(maps.get("settings")),
        heartbeatAgeMs: this.#heartbeatAgeMs(maps.get("heartbeat")),
        targets: targetsOf(maps.get("targets")),
        liveByUser: liveByUser(maps.get("user_connections")),
        recordCapacity: RECORD_CAPACITY,
        counters: this.#counters(maps.get("counters")),
        ownNetns: this.#libc.netnsCookie(),
      };
    } finally {
      for (const map of maps.values()) map[Symbol.dispose]();
    }
  }

  /** The folder that holds the pins of all agents; `null` where there is no BPF file system for it. Nothing is mounted. */
  #pinsParent(): string | null {
    for (const folder of [this.#options.bpfFolder, OWN_BPF_MOUNT]) {
      try {
        if (this.#libc.fileSystemType(folder) === BPF_FS_MAGIC) return folder;
      } catch {
        // There is no such folder.
      }
    }
    return null;
  }

  #openMaps(pins: string): Map<MapName, BpfMap> {
    const maps = new Map<MapName, BpfMap>();
    for (const name of MAPS) {
      const fd = this.#libbpf.open(mapPin(pins, name));
      if (fd !== null) maps.set(name, this.#libbpf.map(fd, name));
    }
    return maps;
  }

  #link(program: string, attachType: number, cgroupId: bigint, pins: string | null): LinkFacts {
    using link = pins === null ? null : this.#libbpf.open(linkPin(pins, program));
    if (link === null) return { program, state: "not-pinned", programId: null };
    const info = this.#libbpf.linkInfo(link);
    const state = info.cgroupId === 0n
      ? "detached"
      : info.cgroupId === cgroupId && info.attachType === attachType
      ? "attached"
      : "elsewhere";
    return { program, state, programId: info.programId };
  }

  #attachPoint(name: string, cgroup: Fd, attachType: number): AttachPoint {
    const programs = this.#libbpf.programsAt(cgroup, attachType, "running")
      .map((id) => this.#program(id));
    return { name, programs };
  }

  placedPrograms(): PlacedPrograms {
    const own = this.cgroup();
    const near = [own, ...cgroupsAbove(this.#libc, own)];
    const { paths, isWhole } = cgroupsBelow(own);
    const programs = [
      ...near.flatMap((place) => this.#attachedTo(place, PROGRAMS)),
      ...paths.flatMap((place) => this.#attachedTo(place, CONNECT_PROGRAMS)),
    ];
    return { programs, below: paths.length, isWhole };
  }

  #attachedTo(place: string, points: readonly typeof PROGRAMS[number][]): PlacedProgram[] {
    let cgroup: Fd;
    try {
      cgroup = this.#libc.openFolderForReading(place);
    } catch {
      // It was removed meanwhile.
      return [];
    }
    using opened = cgroup;
    return points.flatMap(([program, attachType]) =>
      this.#libbpf.programsAt(opened, attachType, "attached")
        .map((id) => ({ ...this.#program(id), point: pointName(program), place }))
    );
  }

  #program(id: number): ProgramFacts {
    const info = this.#libbpf.programInfo(id);
    return { id, name: info?.name ?? "", uid: info?.uid ?? 0 };
  }

  #heartbeatAgeMs(map: BpfMap | undefined): number | null {
    const beat = new StructBuffer(U64_BYTES);
    if (map === undefined || !map.lookUp(new StructBuffer(U32_BYTES).bytes, beat.bytes)) {
      return null;
    }
    const at = beat.u64(0);
    return at === 0n ? null : Number((this.#libc.bootNs() - at) / NS_PER_MS);
  }

  #counters(map: BpfMap | undefined): Record<string, number> {
    if (map === undefined) return {};
    const perCpu = new StructBuffer(U64_BYTES * this.#libbpf.possibleCpus());
    const key = new StructBuffer(U32_BYTES);
    return Object.fromEntries(COUNTERS.map((name, index) => {
      key.setU32(0, index);
      let sum = 0;
      if (map.lookUp(key.bytes, perCpu.bytes)) {
        for (let at = 0; at < perCpu.bytes.length; at += U64_BYTES) sum += Number(perCpu.u64(at));
      }
      return [name, sum];
    }));
  }
}

function pointName(program: string): string {
  return POINT_NAMES[program] ?? program;
}

/** The nearest first. */
function cgroupsAbove(libc: Libc, path: string): string[] {
  const above: string[] = [];
  for (let at = path.replace(/\/[^/]+$/, ""); at !== ""; at = at.replace(/\/[^/]+$/, "")) {
    if (libc.fileSystemType(at) !== CGROUP2_MAGIC) break;
    above.push(at);
  }
  return above;
}

function cgroupsBelow(
  path: string,
): { readonly paths: readonly string[]; readonly isWhole: boolean } {
  const paths: string[] = [];
  for (let at = -1; at < paths.length; at++) {
    const parent = paths[at] ?? path;
    for (const name of foldersIn(parent)) {
      if (paths.length >= MOST_CGROUPS_BELOW) return { paths, isWhole: false };
      paths.push(`${parent}/${name}`);
    }
  }
  return { paths, isWhole: true };
}

function foldersIn(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].filter(({ isDirectory }) => isDirectory)
      .map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function otherFolders(folder: string, own: string): string[] {
  return [...Deno.readDirSync(folder)]
    .filter(({ name, isDirectory }) => isDirectory && name !== own && /^\d+$/.test(name))
    .map(({ name }) => `${folder}/${name}`);
}

function settingsOf(map: BpfMap | undefined): RedirectionFacts["agent"] {
  const settings = new StructBuffer(SETTINGS.bytes);
  if (map === undefined || !map.lookUp(new StructBuffer(U32_BYTES).bytes, settings.bytes)) {
    return null;
  }
  const pid = settings.u32(SETTINGS.agent_tgid);
  if (pid === 0) return null;
  const ticks = processStartTicks(pid);
  return {
    pid,
    isAlive: ticks !== null && BigInt(ticks) === settings.u64(SETTINGS.agent_start_ticks),
    netns: settings.u64(SETTINGS.netns),
    listener: {
      address: addressAt(settings.bytes, SETTINGS.listener_addr),
      port: settings.netU16(SETTINGS.listener_port),
    },
    userLimit: settings.u32(SETTINGS.user_limit),
    rootLimit: settings.u32(SETTINGS.root_limit),
  };
}

function targetsOf(map: BpfMap | undefined): TargetFacts[] {
  if (map === undefined) return [];
  const value = new StructBuffer(TARGET.bytes);
  const targets: TargetFacts[] = [];
  for (const key of map.keys(TARGET_KEY.bytes, MAX_TARGETS)) {
    if (!map.lookUp(key, value.bytes)) continue;
    const action = value.u32(TARGET.action);
    targets.push({
      address: addressAt(key, TARGET_KEY.addr),
      port: new DataView(key.buffer).getUint16(TARGET_KEY.port, false),
      action: action === TARGET_ACTION.enforce
        ? "enforce"
        : action === TARGET_ACTION.audit
        ? "audit"
        : "listener",
    });
  }
  return targets;
}

function liveByUser(map: BpfMap | undefined): { readonly uid: number; readonly live: number }[] {
  if (map === undefined) return [];
  const value = new StructBuffer(U64_BYTES);
  const users = [];
  for (const key of map.keys(U32_BYTES, MAX_USERS_LISTED)) {
    if (!map.lookUp(key, value.bytes)) continue;
    users.push({ uid: new DataView(key.buffer).getUint32(0, true), live: Number(value.u64(0)) });
  }
  return users;
}
