/**
 * @module
 * libbpf as typed functions: open, load, link, pin, look up. It knows programs, maps and links, nothing of what they do.
 */
import { ErrnoError } from "./errno.ts";
import { Fd } from "./handle.ts";
import type { Libc } from "./libc.ts";
import { type Bound, openLibrary, type Wanted } from "./library.ts";
import { cString, StructBuffer } from "./struct.ts";

const FUNCTIONS = {
  hot: {
    // int bpf_map_lookup_elem(int fd, const void *key, void *value)
    bpf_map_lookup_elem: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  },
  rare: {
    // int libbpf_set_strict_mode(enum libbpf_strict_mode mode)
    libbpf_set_strict_mode: { parameters: ["u32"], result: "i32" },
    // libbpf_print_fn_t libbpf_set_print(libbpf_print_fn_t fn)
    libbpf_set_print: { parameters: ["function"], result: "pointer" },
    // struct bpf_object *bpf_object__open_mem(const void *buf, size_t size, const struct bpf_object_open_opts *opts)
    bpf_object__open_mem: { parameters: ["buffer", "usize", "pointer"], result: "pointer" },
    // int bpf_object__load(struct bpf_object *obj)
    bpf_object__load: { parameters: ["pointer"], result: "i32" },
    // void bpf_object__close(struct bpf_object *obj)
    bpf_object__close: { parameters: ["pointer"], result: "void" },
    // struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *obj, const char *name)
    bpf_object__find_map_by_name: { parameters: ["pointer", "buffer"], result: "pointer" },
    // struct bpf_program *bpf_object__find_program_by_name(const struct bpf_object *obj, const char *name)
    bpf_object__find_program_by_name: { parameters: ["pointer", "buffer"], result: "pointer" },
    // int bpf_map__fd(const struct bpf_map *map)
    bpf_map__fd: { parameters: ["pointer"], result: "i32" },
    // int bpf_map__reuse_fd(struct bpf_map *map, int fd)
    bpf_map__reuse_fd: { parameters: ["pointer", "i32"], result: "i32" },
    // int bpf_program__fd(const struct bpf_program *prog)
    bpf_program__fd: { parameters: ["pointer"], result: "i32" },
    // int bpf_link_create(int prog_fd, int target_fd, enum bpf_attach_type type, const struct bpf_link_create_opts *opts)
    bpf_link_create: { parameters: ["i32", "i32", "u32", "pointer"], result: "i32" },
    // int bpf_link_update(int link_fd, int new_prog_fd, const struct bpf_link_update_opts *opts)
    bpf_link_update: { parameters: ["i32", "i32", "pointer"], result: "i32" },
    // int bpf_link_detach(int link_fd)
    bpf_link_detach: { parameters: ["i32"], result: "i32" },
    // int bpf_obj_pin(int fd, const char *pathname)
    bpf_obj_pin: { parameters: ["i32", "buffer"], result: "i32" },
    // int bpf_obj_get(const char *pathname)
    bpf_obj_get: { parameters: ["buffer"], result: "i32" },
    // int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *length)
    bpf_obj_get_info_by_fd: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    // int bpf_prog_get_fd_by_id(__u32 id)
    bpf_prog_get_fd_by_id: { parameters: ["u32"], result: "i32" },
    // int bpf_prog_query(int target_fd, enum bpf_attach_type type, __u32 query_flags, __u32 *attach_flags, __u32 *prog_ids, __u32 *prog_cnt)
    bpf_prog_query: {
      parameters: ["i32", "u32", "u32", "buffer", "buffer", "buffer"],
      result: "i32",
    },
    // int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
    bpf_map_update_elem: { parameters: ["i32", "buffer", "buffer", "u64"], result: "i32" },
    // int bpf_map_delete_elem(int fd, const void *key)
    bpf_map_delete_elem: { parameters: ["i32", "buffer"], result: "i32" },
    // int bpf_map_get_next_key(int fd, const void *key, void *next)
    bpf_map_get_next_key: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    // int libbpf_num_possible_cpus(void)
    libbpf_num_possible_cpus: { parameters: [], result: "i32" },
  },
} as const satisfies Wanted;

type Symbols = Bound<typeof FUNCTIONS>;

const LIBRARY_NAMES = ["libbpf.so.1", "libbpf.so.0"];
/** All strict modes: errors are returned as negative numbers by version 0 as well. */
const STRICT_ALL = 0xffffffff;
const ENOENT = 2;
/** Of libbpf's levels: 0 warn, 1 info, 2 debug (hundreds of lines for each load: left out). */
const LEVEL_INFO = 1;
/** Longest part of libbpf's messages that an error carries. */
const MAX_LOAD_LOG_LINES = 40;

/** Attach types of cgroup programs. Source: linux/bpf.h, enum bpf_attach_type. */
export const ATTACH_TYPE = Object.freeze({
  CGROUP_SOCK_OPS: 3,
  CGROUP_INET4_BIND: 8,
  CGROUP_INET6_BIND: 9,
  CGROUP_INET4_CONNECT: 10,
  CGROUP_INET6_CONNECT: 11,
  CGROUP_INET4_GETPEERNAME: 29,
  CGROUP_INET6_GETPEERNAME: 30,
});

/** Also the programs of the cgroups above. Source: linux/bpf.h. */
const BPF_F_QUERY_EFFECTIVE = 1;
/** Programs of one type that a cgroup can have, its parents' included, as far as they are listed. */
const MAX_PROGRAMS = 1024;
const PROGRAM_INFO_BYTES = 256;

/** What the kernel says of a loaded program. */
export interface ProgramInfo {
  readonly id: number;
  /** At most 15 bytes of the name. */
  readonly name: string;
  /** Hash of the instructions, 16 hex digits. */
  readonly tag: string;
  /** User that loaded it. */
  readonly uid: number;
  readonly loadedAtBootNs: bigint;
}

/** What the kernel says of a link to a cgroup. */
export interface CgroupLinkInfo {
  readonly id: number;
  readonly programId: number;
  /** 0 when it was detached. */
  readonly cgroupId: bigint;
  readonly attachType: number;
}

/** How urgent one of libbpf's messages is. */
export type LibbpfLevel = "warn" | "info";

/** A loaded BPF object could not be had. `log` holds the last lines that libbpf and the verifier said. */
export class BpfLoadError extends Error {
  override readonly name = "BpfLoadError";
  constructor(
    message: string,
    readonly log: readonly string[],
    override readonly cause: ErrnoError,
  ) {
    super(message, { cause });
  }
}

/** A map by its descriptor. Keys and values are caller-owned buffers of the map's sizes. */
export class BpfMap {
  readonly #symbols: Symbols;
  readonly #libc: Libc;
  readonly #fd: Fd;

  constructor(symbols: Symbols, libc: Libc, fd: Fd, readonly name: string) {
    this.#symbols = symbols;
    this.#libc = libc;
    this.#fd = fd;
  }

  /** The descriptor. */
  get fd(): Fd {
    return this.#fd;
  }

  /** Copies the value of `key` into `value`; false when there is none. @throws ErrnoError */
  lookUp(key: Uint8Array<ArrayBuffer>, value: Uint8Array<ArrayBuffer>): boolean {
    const result = this.#symbols.bpf_map_lookup_elem(this.#fd.number, key, value);
    if (result === 0) return true;
    const errno = result === -1 ? this.#libc.errno() : -result;
    if (errno === ENOENT) return false;
    throw new ErrnoError(errno, `look up in the map \`${this.name}\``);
  }

  /** Sets the value of `key`. @throws ErrnoError */
  update(key: Uint8Array<ArrayBuffer>, value: Uint8Array<ArrayBuffer>): void {
    const result = this.#symbols.bpf_map_update_elem(this.#fd.number, key, value, 0n);
    if (result !== 0) {
      throw new ErrnoError(
        result === -1 ? this.#libc.errno() : -result,
        `write to the map \`${this.name}\``,
      );
    }
  }

  /** Removes `key`; false when it was not there. @throws ErrnoError */
  remove(key: Uint8Array<ArrayBuffer>): boolean {
    const result = this.#symbols.bpf_map_delete_elem(this.#fd.number, key);
    if (result === 0) return true;
    const errno = result === -1 ? this.#libc.errno() : -result;
    if (errno === ENOENT) return false;
    throw new ErrnoError(errno, `remove from the map \`${this.name}\``);
  }

  /**
   * The keys, each as a fresh copy. A map that changes meanwhile may repeat or skip some; at most `limit` are given.
   */
  *keys(sizeBytes: number, limit: number): Generator<Uint8Array<ArrayBuffer>> {
    let key: Uint8Array<ArrayBuffer> | null = null;
    for (let count = 0; count < limit; count++) {
      const next: Uint8Array<ArrayBuffer> = new Uint8Array(sizeBytes);
      if (this.#symbols.bpf_map_get_next_key(this.#fd.number, key, next) !== 0) return;
      yield next;
      key = next;
    }
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

/** A loaded object: its programs and maps by name. Closing it keeps what is linked or pinned. */
export class BpfObject {
  readonly #symbols: Symbols;
  readonly #libc: Libc;
  #pointer: Deno.PointerObject | null;

  constructor(symbols: Symbols, libc: Libc, pointer: Deno.PointerObject) {
    this.#symbols = symbols;
    this.#libc = libc;
    this.#pointer = pointer;
  }

  /** Descriptor of a program; valid until the object is closed. @throws ErrnoError ENOENT */
  programFd(name: string): number {
    const program = this.#symbols.bpf_object__find_program_by_name(this.#pointer, cString(name));
    if (program === null) throw new ErrnoError(ENOENT, `find the program \`${name}\``);
    return this.#symbols.bpf_program__fd(program);
  }

  /** Descriptor of a map; valid until the object is closed. @throws ErrnoError ENOENT */
  mapFd(name: string): number {
    const map = this.#symbols.bpf_object__find_map_by_name(this.#pointer, cString(name));
    if (map === null) throw new ErrnoError(ENOENT, `find the map \`${name}\``);
    return this.#symbols.bpf_map__fd(map);
  }

  [Symbol.dispose](): void {
    if (this.#pointer === null) return;
    this.#symbols.bpf_object__close(this.#pointer);
    this.#pointer = null;
  }
}

/** The library. @throws Error where neither libbpf.so.1 nor libbpf.so.0 can be opened */
export class Libbpf {
  readonly #symbols: Symbols;
  readonly #libc: Libc;
  readonly #print: Deno.UnsafeCallback<
    { parameters: ["i32", "pointer", "pointer"]; result: "i32" }
  >;
  readonly #recent: string[] = [];

  constructor(libc: Libc, onMessage: (level: LibbpfLevel, text: string) => void) {
    this.#libc = libc;
    this.#symbols = openLibbpf();
    this.#print = new Deno.UnsafeCallback(
      { parameters: ["i32", "pointer", "pointer"], result: "i32" },
      (level, format, argumentList) => {
        if (level > LEVEL_INFO) return 0;
        const text = libc.format(format, argumentList).trimEnd();
        this.#recent.push(...text.split("\n"));
        this.#recent.splice(0, Math.max(0, this.#recent.length - MAX_LOAD_LOG_LINES));
        onMessage(level === LEVEL_INFO ? "info" : "warn", text);
        return text.length;
      },
    );
    this.#symbols.libbpf_set_strict_mode(STRICT_ALL);
    this.#symbols.libbpf_set_print(this.#print.pointer);
  }

  #check(result: number, attempted: string): number {
    if (result >= 0) return result;
    throw new ErrnoError(result === -1 ? this.#libc.errno() || 1 : -result, attempted);
  }

  /**
   * Opens and loads an object. Maps named in `reuse` are taken instead of new ones.
   * @throws BpfLoadError with the tail of the verifier's log
   */
  load(image: Uint8Array<ArrayBuffer>, reuse: ReadonlyMap<string, Fd>): BpfObject {
    this.#recent.length = 0;
    const pointer = this.#symbols.bpf_object__open_mem(image, BigInt(image.length), null);
    if (pointer === null) {
      throw this.#loadError("open the BPF object", this.#libc.errno());
    }
    const object = new BpfObject(this.#symbols, this.#libc, pointer);
    try {
      for (const [name, fd] of reuse) {
        const map = this.#symbols.bpf_object__find_map_by_name(pointer, cString(name));
        if (map === null) throw this.#loadError(`find the map \`${name}\``, ENOENT);
        const reused = this.#symbols.bpf_map__reuse_fd(map, fd.number);
        if (reused < 0) throw this.#loadError(`take over the map \`${name}\``, -reused);
      }
      const loaded = this.#symbols.bpf_object__load(pointer);
      if (loaded < 0) throw this.#loadError("load the BPF object", -loaded);
      return object;
    } catch (error) {
      object[Symbol.dispose]();
      throw error;
    }
  }

  #loadError(attempted: string, errno: number): BpfLoadError {
    const cause = new ErrnoError(errno, attempted);
    return new BpfLoadError(cause.message, [...this.#recent], cause);
  }

  /** Attaches a program to a cgroup, beside those of others. @throws ErrnoError */
  link(programFd: number, cgroup: Fd, attachType: number, name: string): Fd {
    return this.#libc.own(this.#check(
      this.#symbols.bpf_link_create(programFd, cgroup.number, attachType, null),
      `attach the program \`${name}\``,
    ));
  }

  /** Replaces the program of a link in one step. @throws ErrnoError */
  replace(link: Fd, programFd: number, name: string): void {
    this.#check(
      this.#symbols.bpf_link_update(link.number, programFd, null),
      `replace the program \`${name}\``,
    );
  }

  /** Takes a link off its cgroup, whoever else holds it. A link that is off already is no error. */
  detach(link: Fd): void {
    this.#symbols.bpf_link_detach(link.number);
  }

  /** Pins a map or link. @throws ErrnoError */
  pin(fd: Fd, path: string): void {
    this.#check(this.#symbols.bpf_obj_pin(fd.number, cString(path)), `pin \`${path}\``);
  }

  /** Opens what is pinned; `null` when nothing is. @throws ErrnoError */
  open(path: string): Fd | null {
    const fd = this.#symbols.bpf_obj_get(cString(path));
    if (fd >= 0) return this.#libc.own(fd);
    const errno = fd === -1 ? this.#libc.errno() : -fd;
    if (errno === ENOENT) return null;
    throw new ErrnoError(errno, `open the pin \`${path}\``);
  }

  /** A map by its descriptor, which it owns from now on. */
  map(fd: Fd, name: string): BpfMap {
    return new BpfMap(this.#symbols, this.#libc, fd, name);
  }

  /** Id of the cgroup that a link is attached to; 0 when it was detached. @throws ErrnoError */
  linkedCgroup(link: Fd): bigint {
    return this.linkInfo(link).cgroupId;
  }

  /** What a link joins. @throws ErrnoError */
  linkInfo(link: Fd): CgroupLinkInfo {
    // struct bpf_link_info { u32 type, id, prog_id; pad; struct { u64 cgroup_id; u32 attach_type; } cgroup; }
    const info = this.#info(link, 64, "read a link's state");
    return {
      id: info.u32(4),
      programId: info.u32(8),
      cgroupId: info.u64(16),
      attachType: info.u32(24),
    };
  }

  /** A loaded program by its id; `null` when there is none. @throws ErrnoError */
  programInfo(id: number): ProgramInfo | null {
    const number = this.#symbols.bpf_prog_get_fd_by_id(id);
    if (number < 0) {
      const errno = number === -1 ? this.#libc.errno() : -number;
      if (errno === ENOENT) return null;
      throw new ErrnoError(errno, `open the program ${id}`);
    }
    using program = this.#libc.own(number);
    // struct bpf_prog_info { u32 type, id; u8 tag[8]; ...; u64 load_time @40; u32 created_by_uid @48; ...; char name[16] @64; ... }
    const info = this.#info(program, PROGRAM_INFO_BYTES, `read the program ${id}`);
    return {
      id: info.u32(4),
      name: info.text(64, 16),
      tag: info.bytes.subarray(8, 16).toHex(),
      uid: info.u32(48),
      loadedAtBootNs: info.u64(40),
    };
  }

  /**
   * Ids of the programs at an attach point of a cgroup, at most 1,024: those that run for its processes, in that order, with
   * those of the cgroups above among them; or only those that were attached to it. @throws ErrnoError
   */
  programsAt(cgroup: Fd, attachType: number, which: "running" | "attached"): number[] {
    const ids = new StructBuffer(4 * MAX_PROGRAMS);
    const count = new StructBuffer(4);
    count.setU32(0, MAX_PROGRAMS);
    this.#check(
      this.#symbols.bpf_prog_query(
        cgroup.number,
        attachType,
        which === "running" ? BPF_F_QUERY_EFFECTIVE : 0,
        null,
        ids.bytes,
        count.bytes,
      ),
      `list the programs at the attach point ${attachType}`,
    );
    const found = Math.min(count.u32(0), MAX_PROGRAMS);
    return Array.from({ length: found }, (_, index) => ids.u32(4 * index));
  }

  #info(fd: Fd, sizeBytes: number, attempted: string): StructBuffer {
    const info = new StructBuffer(sizeBytes);
    const length = new StructBuffer(4);
    length.setU32(0, sizeBytes);
    this.#check(
      this.#symbols.bpf_obj_get_info_by_fd(fd.number, info.bytes, length.bytes),
      attempted,
    );
    return info;
  }

  /** Number of CPUs that a per-CPU value has room for. */
  possibleCpus(): number {
    return this.#check(this.#symbols.libbpf_num_possible_cpus(), "count the CPUs");
  }
}

function openLibbpf(): Symbols {
  const failures: string[] = [];
  for (const name of LIBRARY_NAMES) {
    try {
      return openLibrary(name, FUNCTIONS);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`libbpf could not be opened: ${failures.join("; ")}`);
}
