import { createHash } from "node:crypto";
import { ErrnoError } from "../../../ffi/errno.ts";
import type { Fd } from "../../../ffi/handle.ts";
import {
  ATTACH_TYPE,
  BpfLoadError,
  type BpfMap,
  type BpfObject,
  type Libbpf,
} from "../../../ffi/libbpf.ts";
import type { Libc } from "../../../ffi/libc.ts";
import { StructBuffer } from "../../../ffi/struct.ts";
import type {
  ConnectionLimits,
  Redirector,
  RedirectorIdentity,
  RedirectorReport,
  TargetModes,
} from "../../agent/redirector/redirector.ts";
import type { Attribution, ConnectionRecord } from "../../domain/identity/connection_record.ts";
import type { EndpointMap, EndpointName, SocketAddress } from "../../domain/wire/endpoints.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { ensureBpfFolder, findCgroup, releaseBpfFolder } from "./mounts.ts";
import { processStartTicks } from "./process_start.ts";
import {
  COMM_BYTES,
  COUNTERS,
  decodeRecord,
  FOREIGN,
  isNumberedSource,
  NUMBERED_SOURCE,
  putAddress,
  RECORD,
  RECORD_KEY,
  RECORD_KIND,
  REDIRECTOR_ABI,
  SETTINGS,
  sourceCarriesCookie,
  TARGET,
  TARGET_ACTION,
  TARGET_KEY,
} from "./record_layout.ts";

/** What the redirector needs to know. */
export interface LinuxRedirectorOptions {
  /** Attach point, see `findCgroup`. */
  readonly cgroupRoot: string;
  /** Folder for the pins, on a BPF file system (one is mounted where none is). */
  readonly bpfFolder: string;
  /** Reads the compiled programs; the second variant is for kernels that refuse task reads. @throws AgentError BPF_OBJECT_MISSING */
  readonly readObject: (variant: "full" | "no-task-reads") => Uint8Array<ArrayBuffer>;
  readonly endpoints: EndpointMap;
  /** At first; see `setConnectionLimits`. */
  readonly userConnectionLimit: number;
  readonly rootConnectionLimit: number;
  /** Age of a heartbeat from which audit targets are let through, milliseconds. */
  readonly staleAfterMs: number;
}

/** The programs and their attach points, in the order in which they are attached: whoever is redirected must already be followed. */
export const PROGRAMS = [
  ["follow_socket", ATTACH_TYPE.CGROUP_SOCK_OPS, "cgroup_sock_ops"],
  ["show_peer4", ATTACH_TYPE.CGROUP_INET4_GETPEERNAME, "cgroup_inet4_getpeername"],
  ["show_peer6", ATTACH_TYPE.CGROUP_INET6_GETPEERNAME, "cgroup_inet6_getpeername"],
  ["guard_bind4", ATTACH_TYPE.CGROUP_INET4_BIND, "cgroup_inet4_bind"],
  ["guard_bind6", ATTACH_TYPE.CGROUP_INET6_BIND, "cgroup_inet6_bind"],
  ["redirect_connect4", ATTACH_TYPE.CGROUP_INET4_CONNECT, "cgroup_inet4_connect"],
  ["redirect_connect6", ATTACH_TYPE.CGROUP_INET6_CONNECT, "cgroup_inet6_connect"],
] as const;

/** The maps that are pinned. */
export const MAPS = [
  "targets",
  "settings",
  "heartbeat",
  "callers",
  "records",
  "departed_sources",
  "user_connections",
  "foreign_namespaces",
  "counters",
] as const;
export type MapName = typeof MAPS[number];

const UNATTRIBUTED: Attribution = Object.freeze({ kind: "unattributed" });
/** Nobody has to listen there. */
const DISCARD_PORT = 9;
const MAX_TARGETS = 16;
const MAX_USERS_COUNTED = 4096;
/** Size of the map of records. */
export const RECORD_CAPACITY = 131_072;
const MAX_FOREIGN_NAMESPACES = 256;
const U32_BYTES = 4;
const U64_BYTES = 8;
const NS_PER_MS = 1_000_000n;
const VERIFIER_LOG_LINES = 12;
const FOREIGN_NOTICE_EVERY_NS = 60_000_000_000n;

type Maps = Readonly<Record<MapName, BpfMap>>;

/**
 * The Linux redirector: loads bpf/redirector.bpf.c, links it to a cgroup beside the programs of others, pins links and
 * maps, and answers who is at the other end of a connection. What an earlier process left pinned is taken over: its maps
 * stay, its programs are replaced in place, so that not one connect() goes by unseen.
 */
export class LinuxRedirector implements Redirector {
  readonly #libc: Libc;
  readonly #libbpf: Libbpf;
  readonly #options: LinuxRedirectorOptions;
  readonly #log: Logger;
  readonly #netns: bigint;
  /** Folder of our pins; with the maps and the links it outlives a failed attempt, so that the next one mends and does not begin anew. */
  #pins: string | null = null;
  #maps: Maps | null = null;
  readonly #links = new Map<string, Fd>();
  #variant: RedirectorReport["variant"] = null;
  #objectSha256: string | null = null;
  #limits: ConnectionLimits;
  /** `null` before the first word of the owner: targets that an earlier process left then stay as they are. */
  #targets: TargetModes | null = null;
  readonly #foreign = new Map<bigint, { readonly count: bigint; readonly saidAtNs: bigint }>();

  readonly #key = new StructBuffer(RECORD_KEY.bytes);
  readonly #value = new StructBuffer(RECORD.bytes);
  readonly #zero = new StructBuffer(U32_BYTES);
  readonly #beat = new StructBuffer(U64_BYTES);

  constructor(libc: Libc, libbpf: Libbpf, options: LinuxRedirectorOptions, log: Logger) {
    this.#libc = libc;
    this.#libbpf = libbpf;
    this.#options = options;
    this.#limits = { user: options.userConnectionLimit, root: options.rootConnectionLimit };
    this.#log = log;
    this.#netns = libc.netnsCookie();
    this.#key.setU64(RECORD_KEY.netns, this.#netns);
  }

  // deno-lint-ignore require-await
  async attach(): Promise<void> {
    if (this.intact()) return;
    this.#requireCallersReachable();
    const cgroupPath = findCgroup(this.#libc, this.#options.cgroupRoot);
    using cgroup = this.#libc.openFolderForReading(cgroupPath);
    const folder = ensureBpfFolder(this.#libc, this.#options.bpfFolder);
    const pins = `${folder}/${Deno.statSync(cgroupPath).ino ?? 0}`;
    Deno.mkdirSync(pins, { recursive: true, mode: 0o700 });
    if (this.#pins !== pins) this.#release();
    this.#pins = pins;
    try {
      this.#attachTo(cgroup, pins);
    } catch (cause) {
      if (!(cause instanceof ErrnoError)) throw cause;
      throw new AgentError("BPF_ATTACH", cause.message, { cause });
    }
    this.#log.info("redirector attached", {
      cgroup: cgroupPath,
      variant: this.#variant,
      pins,
    });
  }

  /**
   * Answers to callers go to addresses of loopback that no filter knows which allows 127.0.0.1 alone: every caller would
   * wait in vain. @throws AgentError CALLERS_UNREACHABLE
   */
  #requireCallersReachable(): void {
    try {
      this.#libc.sendUdpDatagram(NUMBERED_SOURCE, DISCARD_PORT);
    } catch (cause) {
      if (!(cause instanceof ErrnoError) || cause.code !== "EPERM") throw cause;
      throw new AgentError(
        "CALLERS_UNREACHABLE",
        `answers to callers would be dropped: a filter forbids to \`${cause.attempted}\`; allow ` +
          "127.0.0.0/8 there, in the unit of the service: IPAddressAllow=127.0.0.0/8",
        { cause },
      );
    }
  }

  /** Maps first: a process that dies in between leaves links whose maps the next one finds. */
  #attachTo(cgroup: Fd, pins: string): void {
    this.#maps ??= this.#pinnedMaps(pins);
    using object = this.#load(this.#maps);
    this.#maps ??= this.#ownMaps(object);
    const maps = this.#maps;
    this.#writeSettings(maps);
    this.#writeTargets(maps);
    for (const name of MAPS) {
      if (!exists(mapPin(pins, name))) this.#libbpf.pin(maps[name].fd, mapPin(pins, name));
    }
    for (const [program, attachType] of PROGRAMS) {
      this.#link(object, program, attachType, cgroup, pins);
    }
  }

  /**
   * Maps that an earlier process pinned, all or none: under another ABI number they are not looked at.
   * @throws AgentError BPF_ATTACH when that process lives
   */
  #pinnedMaps(pins: string): Maps | null {
    const found: Partial<Record<MapName, BpfMap>> = {};
    let complete = false;
    try {
      for (const name of MAPS) {
        const fd = this.#libbpf.open(mapPin(pins, name));
        if (fd !== null) found[name] = this.#libbpf.map(fd, name);
      }
      if (found.settings !== undefined) this.#refuseSecondAgent(found.settings);
      complete = MAPS.every((name) => found[name] !== undefined);
    } finally {
      if (!complete) Object.values(found).forEach((map) => map[Symbol.dispose]());
    }
    if (complete) return found as Maps;
    for (const name of MAPS) removeIfThere(mapPin(pins, name));
    return null;
  }

  /** Two agents on one cgroup would take each other's connections. @throws AgentError BPF_ATTACH */
  #refuseSecondAgent(map: BpfMap): void {
    const settings = new StructBuffer(SETTINGS.bytes);
    if (!map.lookUp(this.#zero.bytes, settings.bytes)) return;
    const tgid = settings.u32(SETTINGS.agent_tgid);
    if (tgid === 0 || tgid === Deno.pid) return;
    const startTicks = processStartTicks(tgid);
    if (startTicks === null || BigInt(startTicks) !== settings.u64(SETTINGS.agent_start_ticks)) {
      return;
    }
    throw new AgentError(
      "BPF_ATTACH",
      `another agent (process \`${tgid}\`) already guards this cgroup; stop it first`,
    );
  }

  /** Loads the full object, or the one without task reads where the kernel refuses the full one. @throws AgentError BPF_LOAD */
  #load(maps: Maps | null): BpfObject {
    const kept = new Map(maps === null ? [] : MAPS.map((name) => [name, maps[name].fd]));
    try {
      return this.#loadVariant("full", kept);
    } catch (full) {
      if (!(full instanceof BpfLoadError)) throw full;
      this.#log.warn("the full BPF object was refused, trying the one without task reads", {
        error: full.message,
        verifier: full.log.slice(-VERIFIER_LOG_LINES).join(" | "),
      });
      try {
        return this.#loadVariant("no-task-reads", kept);
      } catch (cause) {
        if (!(cause instanceof BpfLoadError)) throw cause;
        throw new AgentError("BPF_LOAD", `the kernel refused the BPF programs: ${cause.message}`, {
          cause,
          detail: { verifier: cause.log.slice(-VERIFIER_LOG_LINES).join(" | ") },
        });
      }
    }
  }

  #loadVariant(variant: "full" | "no-task-reads", kept: ReadonlyMap<string, Fd>): BpfObject {
    const image = this.#options.readObject(variant);
    const object = this.#libbpf.load(image, kept);
    this.#variant = variant;
    this.#objectSha256 = createHash("sha256").update(image).digest("hex");
    return object;
  }

  /** Descriptors of our own for all maps; those of the object go with it. */
  #ownMaps(object: BpfObject): Maps {
    const maps: Partial<Record<MapName, BpfMap>> = {};
    for (const name of MAPS) {
      maps[name] = this.#libbpf.map(this.#libc.duplicate(object.mapFd(name)), name);
    }
    return maps as Maps;
  }

  /** Links a program: a link that we hold or find pinned gets the new program in one step, a missing or detached one is made anew. */
  #link(object: BpfObject, program: string, attachType: number, cgroup: Fd, pins: string): void {
    const path = linkPin(pins, program);
    const programFd = object.programFd(program);
    const known = this.#links.get(program) ?? this.#libbpf.open(path);
    if (known !== null) {
      this.#links.set(program, known);
      if (this.#libbpf.linkedCgroup(known) !== 0n) {
        this.#libbpf.replace(known, programFd, program);
        if (!exists(path)) this.#libbpf.pin(known, path);
        return;
      }
      this.#links.delete(program);
      known[Symbol.dispose]();
      removeIfThere(path);
    }
    const link = this.#libbpf.link(programFd, cgroup, attachType, program);
    this.#links.set(program, link);
    this.#libbpf.pin(link, path);
  }

  #writeSettings(maps: Maps): void {
    const settings = new StructBuffer(SETTINGS.bytes);
    const { listener } = this.#options.endpoints;
    settings.setU64(SETTINGS.netns, this.#netns);
    settings.setU64(SETTINGS.agent_start_ticks, BigInt(processStartTicks(Deno.pid) ?? 0));
    settings.setU32(SETTINGS.agent_tgid, Deno.pid);
    putAddress(settings.bytes, SETTINGS.listener_addr, listener.address);
    settings.setNetU16(SETTINGS.listener_port, listener.port);
    settings.setU32(SETTINGS.user_limit, this.#limits.user);
    settings.setU32(SETTINGS.root_limit, this.#limits.root);
    settings.setU64(SETTINGS.stale_after_ns, BigInt(this.#options.staleAfterMs) * NS_PER_MS);
    maps.settings.update(this.#zero.bytes, settings.bytes);
  }

  setConnectionLimits(limits: ConnectionLimits): void {
    this.#limits = limits;
    if (this.#maps !== null) this.#writeSettings(this.#maps);
  }

  setTargets(targets: TargetModes): void {
    this.#targets = targets;
    if (this.#maps !== null) this.#writeTargets(this.#maps);
  }

  /** Brings the map to the wanted state: what is wanted first, then what is not wanted any more goes. */
  #writeTargets(maps: Maps): void {
    const { endpoints } = this.#options;
    const wanted = new Map<string, Uint8Array<ArrayBuffer>>();
    const want = (to: SocketAddress, action: number) => {
      const key = targetKey(to);
      const value = new StructBuffer(TARGET.bytes);
      value.setU32(TARGET.action, action);
      maps.targets.update(key, value.bytes);
      wanted.set(key.join(), key);
    };
    want(endpoints.listener, TARGET_ACTION.listener);
    want({ address: "0.0.0.0", port: endpoints.listener.port }, TARGET_ACTION.listener);
    if (this.#targets === null) return;
    for (const [name, mode] of Object.entries(this.#targets)) {
      want(endpoints[name as EndpointName], TARGET_ACTION[mode]);
    }
    for (const key of [...maps.targets.keys(TARGET_KEY.bytes, MAX_TARGETS)]) {
      if (!wanted.has(key.join())) maps.targets.remove(key);
    }
  }

  attribute(peer: SocketAddress, known: Attribution | null = null): Attribution {
    const maps = this.#maps;
    if (maps === null || !putAddress(this.#key.bytes, RECORD_KEY.addr, peer.address)) {
      return UNATTRIBUTED;
    }
    this.#key.setU16(RECORD_KEY.port, peer.port);
    if (!maps.records.lookUp(this.#key.bytes, this.#value.bytes)) return UNATTRIBUTED;
    const kind = this.#value.u16(RECORD.kind);
    if (kind === RECORD_KIND.direct) return { kind: "direct", uid: this.#value.u32(RECORD.uid) };
    if (kind !== RECORD_KIND.redirected) return UNATTRIBUTED;
    if (known?.kind === "redirected" && this.#isRecordOf(known.record)) return known;
    // INVARIANT: a numbered source belongs to the socket whose cookie it carries, and to the agent never.
    if (
      isNumberedSource(this.#key.bytes, RECORD_KEY.addr) &&
      !sourceCarriesCookie(this.#key, RECORD_KEY.addr, this.#value.u64(RECORD.cookie))
    ) return UNATTRIBUTED;
    if (this.#value.u32(RECORD.tgid) === Deno.pid) return UNATTRIBUTED;
    return {
      kind: "redirected",
      record: decodeRecord(this.#value, peer.address, peer.port),
    };
  }

  /** Whether the record just read is this one. A socket that is connected again keeps its cookie, not its time. */
  #isRecordOf(known: ConnectionRecord): boolean {
    return this.#value.u64(RECORD.cookie) === known.cookie &&
      this.#value.u64(RECORD.connected_at) === known.connectedAtBootNs;
  }

  beat(): void {
    if (this.#maps === null) return;
    this.#beat.setU64(0, this.#libc.bootNs());
    this.#maps.heartbeat.update(this.#zero.bytes, this.#beat.bytes);
  }

  inspect(): RedirectorReport {
    const maps = this.#maps;
    if (maps === null) {
      return {
        attached: false,
        variant: this.#variant,
        records: { live: 0, capacity: RECORD_CAPACITY },
        counters: {},
      };
    }
    this.#reportForeignNamespaces(maps);
    return {
      attached: this.intact(),
      variant: this.#variant,
      records: { live: this.#liveRecords(maps), capacity: RECORD_CAPACITY },
      counters: this.#readCounters(maps.counters),
    };
  }

  identity(): RedirectorIdentity {
    const programs = PROGRAMS.flatMap(([name, , attachPoint]) => {
      const link = this.#links.get(name);
      if (link === undefined) return [];
      const { cgroupId, id, programId } = this.#libbpf.linkInfo(link);
      if (cgroupId === 0n) return [];
      return [{ name, attachPoint, programId, linkId: id, cgroupId: String(cgroupId) }];
    });
    return { objectSha256: this.#objectSha256, programs };
  }

  intact(): boolean {
    const pins = this.#pins;
    return pins !== null && PROGRAMS.every(([program]) => {
      const link = this.#links.get(program);
      return link !== undefined && this.#libbpf.linkedCgroup(link) !== 0n &&
        exists(linkPin(pins, program));
    }) && MAPS.every((name) => exists(mapPin(pins, name)));
  }

  /** The sum of the per-user counts: records of redirected and direct connections alike. */
  #liveRecords(maps: Maps): number {
    const value = new StructBuffer(U64_BYTES);
    let live = 0;
    for (const uid of maps.user_connections.keys(U32_BYTES, MAX_USERS_COUNTED)) {
      if (maps.user_connections.lookUp(uid, value.bytes)) live += Number(value.u64(0));
    }
    return live;
  }

  #readCounters(map: BpfMap): Record<string, number> {
    const perCpu = new StructBuffer(U64_BYTES * this.#libbpf.possibleCpus());
    const key = new StructBuffer(U32_BYTES);
    const counters: Record<string, number> = {};
    COUNTERS.forEach((name, index) => {
      key.setU32(0, index);
      let sum = 0;
      if (map.lookUp(key.bytes, perCpu.bytes)) {
        for (let at = 0; at < perCpu.bytes.length; at += U64_BYTES) sum += Number(perCpu.u64(at));
      }
      counters[name] = sum;
    });
    return counters;
  }

  /** One line a minute for each foreign network namespace that dialled a target since the last one. */
  #reportForeignNamespaces(maps: Maps): void {
    const value = new StructBuffer(FOREIGN.bytes);
    const nowNs = this.#libc.bootNs();
    for (const key of maps.foreign_namespaces.keys(U64_BYTES, MAX_FOREIGN_NAMESPACES)) {
      if (!maps.foreign_namespaces.lookUp(key, value.bytes)) continue;
      const netns = new DataView(key.buffer).getBigUint64(0, true);
      const count = value.u64(FOREIGN.count);
      const said = this.#foreign.get(netns);
      if (count === said?.count) continue;
      if (said !== undefined && nowNs - said.saidAtNs < FOREIGN_NOTICE_EVERY_NS) continue;
      if (this.#foreign.size > 2 * MAX_FOREIGN_NAMESPACES) this.#foreign.clear();
      this.#foreign.set(netns, { count, saidAtNs: nowNs });
      // The kernel begins to count anew for a namespace that it had to forget.
      const since = said === undefined || count < said.count ? count : count - said.count;
      this.#log.warn("connections from another network namespace are not redirected", {
        netns,
        connections: since,
        pid: value.u32(FOREIGN.tgid),
        uid: value.u32(FOREIGN.uid),
        comm: value.text(FOREIGN.comm, COMM_BYTES),
      });
    }
  }

  // deno-lint-ignore require-await
  async detach(): Promise<void> {
    const pins = this.#pins;
    if (pins === null || this.#maps === null) return;
    for (const [program] of [...PROGRAMS].reverse()) {
      const link = this.#links.get(program);
      if (link !== undefined) this.#libbpf.detach(link);
    }
    this.#release();
    // All of them, whatever an agent of another version may have pinned beside ours.
    for (const { name } of [...Deno.readDirSync(pins)]) removeIfThere(`${pins}/${name}`);
    removeIfThere(pins);
    releaseBpfFolder(this.#libc, pins.slice(0, pins.lastIndexOf("/")));
    this.#log.info("redirector detached", { pins });
  }

  /** Closes our descriptors; what is pinned stays. */
  #release(): void {
    for (const link of this.#links.values()) link[Symbol.dispose]();
    this.#links.clear();
    for (const map of Object.values(this.#maps ?? {})) map[Symbol.dispose]();
    this.#maps = null;
    this.#pins = null;
  }

  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.#release();
  }
}

function targetKey(to: SocketAddress): Uint8Array<ArrayBuffer> {
  const key = new StructBuffer(TARGET_KEY.bytes);
  putAddress(key.bytes, TARGET_KEY.addr, to.address);
  key.setNetU16(TARGET_KEY.port, to.port);
  return key.bytes;
}

/** Where a map is pinned. */
export function mapPin(pins: string, name: string): string {
  return `${pins}/abi${REDIRECTOR_ABI}_${name}`;
}

/** Where a program's link is pinned. */
export function linkPin(pins: string, program: string): string {
  return `${pins}/link_${program}`;
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
