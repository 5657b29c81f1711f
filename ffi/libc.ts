/**
 * @module
 * The few functions of the C library that Deno has no equivalent for, as typed wrappers. No domain word in here.
 */
import { ErrnoError } from "./errno.ts";
import { Fd } from "./handle.ts";
import { openLibrary, type Wanted } from "./library.ts";
import { cString, StructBuffer } from "./struct.ts";

const FUNCTIONS = {
  hot: {
    // int *__errno_location(void)
    __errno_location: { parameters: [], result: "pointer" },
    // int close(int fd)
    close: { parameters: ["i32"], result: "i32" },
    // int openat(int dirfd, const char *path, int flags, ...)
    openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
    // int fstatat(int dirfd, const char *path, struct stat *buf, int flags)
    fstatat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
    // ssize_t read(int fd, void *buffer, size_t count)
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    // ssize_t readlinkat(int dirfd, const char *path, char *buffer, size_t size)
    readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  },
  rare: {
    // int fcntl(int fd, int command, int argument)
    fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
    // int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
    mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
    // int umount2(const char *target, int flags)
    umount2: { parameters: ["buffer", "i32"], result: "i32" },
    // int statfs(const char *path, struct statfs *buf)
    statfs: { parameters: ["buffer", "buffer"], result: "i32" },
    // int socket(int domain, int type, int protocol)
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    // int connect(int fd, const struct sockaddr *to, socklen_t length)
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    // int getsockname(int fd, struct sockaddr *name, socklen_t *length)
    getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    // int getpeername(int fd, struct sockaddr *name, socklen_t *length)
    getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    // int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
    // ssize_t sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t length)
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
    // int clock_gettime(clockid_t clock, struct timespec *time)
    clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
    // int adjtimex(struct timex *state)
    adjtimex: { parameters: ["buffer"], result: "i32" },
    // int getrlimit(int resource, struct rlimit *limit)
    getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    // int setrlimit(int resource, const struct rlimit *limit)
    setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
    // int madvise(void *address, size_t length, int advice)
    madvise: { parameters: ["usize", "usize", "i32"], result: "i32" },
    // int vsnprintf(char *text, size_t size, const char *format, va_list arguments)
    vsnprintf: { parameters: ["buffer", "usize", "pointer", "pointer"], result: "i32" },
  },
} as const satisfies Wanted;

/** Name look-ups may wait for a directory server: they run on a thread of their own. */
const LOOKUP_SYMBOLS = {
  // int getpwuid_r(uid_t uid, struct passwd *pwd, char *buffer, size_t size, struct passwd **result)
  getpwuid_r: {
    parameters: ["u32", "buffer", "buffer", "usize", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // int getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
  getgrouplist: {
    parameters: ["buffer", "u32", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // int getgrgid_r(gid_t gid, struct group *group, char *buffer, size_t size, struct group **result)
  getgrgid_r: {
    parameters: ["u32", "buffer", "buffer", "usize", "buffer"],
    result: "i32",
    nonblocking: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

const CLOCK_BOOTTIME = 7;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const EINPROGRESS = 115;
const SOCKADDR_BYTES = 28;
/** Where the IPv4 address stands in `sockaddr_in`, and in `sockaddr_in6` that maps one. */
const ADDRESS_OFFSET = Object.freeze({ [AF_INET]: 4, [AF_INET6]: 20 });
const ST_RDONLY = 1n;
const STA_UNSYNC = 0x40;
const SOL_SOCKET = 1;
const SO_NETNS_COOKIE = 71;
const RLIMIT_NOFILE = 7;
const MADV_DONTNEED = 4;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const O_DIRECTORY = 0o200000;
const AT_FDCWD = -100;
const MNT_DETACH = 2;
const ENAMETOOLONG = 36;
const ERANGE = 34;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_UN_BYTES = 110;
const MSG_DONTWAIT = 0x40;
const F_DUPFD_CLOEXEC = 1030;
const MAX_LOOKUP_BYTES = 1_048_576;
const MS_NOSUID = 2n;
const MS_NODEV = 4n;
const MS_NOEXEC = 8n;

/** `struct stat`: device and inode stand first on x86-64 and arm64; the rest differs. Source: asm/stat.h. */
const STAT_BYTES = 144;
const STAT_MODE_OFFSET = Deno.build.arch === "aarch64" ? 16 : 24;
const STAT_UID_OFFSET = Deno.build.arch === "aarch64" ? 24 : 28;

/** What `fstatat` says about a file. `device` is in the encoding of user space. */
export interface FileStatus {
  readonly device: bigint;
  readonly inode: bigint;
  readonly mode: number;
  readonly uid: number;
}

/** Room in a file system. */
export interface FileSystemSpace {
  readonly isReadOnly: boolean;
  readonly totalBytes: number;
  /** What others than root may use. */
  readonly freeBytes: number;
  /** 0 where the file system does not count files. */
  readonly totalFiles: number;
  readonly freeFiles: number;
}

/** What the kernel knows of how right its clock is. */
export interface ClockDiscipline {
  readonly isSynchronised: boolean;
  readonly maxErrorMs: number;
}

/** The addresses of a socket right after connect() began, as dotted quads. */
export interface DialledSocket {
  /** Error number of connect(); 0 when it began or succeeded. */
  readonly errno: number;
  readonly localAddress: string;
  /** `null` while the other end has not answered. */
  readonly peerAddress: string | null;
}

/** Name, primary group and ids of a user as the system's directories know them. */
export interface PasswdEntry {
  readonly name: string;
  readonly gid: number;
}

/** The C library. One instance per program; the library itself stays loaded. */
export class Libc {
  readonly #lookups = Deno.dlopen("libc.so.6", LOOKUP_SYMBOLS);
  readonly #c = openLibrary("libc.so.6", FUNCTIONS);
  readonly #stat = new StructBuffer(STAT_BYTES);
  readonly #length = new StructBuffer(4);
  readonly #time = new StructBuffer(16);

  /** Error number of the last failed call of this thread. */
  errno(): number {
    const location = this.#c.__errno_location();
    return location === null ? 0 : new Deno.UnsafePointerView(location).getInt32();
  }

  #check(result: number | bigint, attempted: () => string): number {
    if (Number(result) < 0) throw new ErrnoError(this.errno(), attempted());
    return Number(result);
  }

  /** Wraps a descriptor that the caller owns from now on. */
  own(fd: number): Fd {
    return new Fd(fd, (number) => {
      this.#c.close(number);
    });
  }

  /** A second descriptor of the same open file, owned by the caller. @throws ErrnoError */
  duplicate(fd: number): Fd {
    return this.own(this.#check(
      this.#c.fcntl(fd, F_DUPFD_CLOEXEC, 3),
      () => "duplicate a descriptor",
    ));
  }

  /** Nanoseconds since boot, suspension included. */
  bootNs(): bigint {
    this.#check(this.#c.clock_gettime(CLOCK_BOOTTIME, this.#time.bytes), () => "clock_gettime");
    return this.#time.u64(0) * 1_000_000_000n + this.#time.u64(8);
  }

  /** Cookie of this process's network namespace. @throws ErrnoError ENOPROTOOPT before Linux 5.14 */
  netnsCookie(): bigint {
    using socket = this.own(this.#check(
      this.#c.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
      () => "open a socket",
    ));
    const value = new StructBuffer(8);
    this.#length.setU32(0, 8);
    this.#check(
      this.#c.getsockopt(
        socket.number,
        SOL_SOCKET,
        SO_NETNS_COOKIE,
        value.bytes,
        this.#length.bytes,
      ),
      () => "read the network namespace's cookie",
    );
    return value.u64(0);
  }

  /** Opens a folder as a mere reference (O_PATH). @throws ErrnoError */
  openFolder(path: string): Fd {
    return this.own(this.#check(
      this.#c.openat(AT_FDCWD, cString(path), O_PATH | O_DIRECTORY | O_CLOEXEC, 0),
      () => `open the folder \`${path}\``,
    ));
  }

  /** Opens a folder for calls that need a real descriptor (attaching programs). @throws ErrnoError */
  openFolderForReading(path: string): Fd {
    return this.own(this.#check(
      this.#c.openat(AT_FDCWD, cString(path), O_DIRECTORY | O_CLOEXEC, 0),
      () => `open the folder \`${path}\``,
    ));
  }

  /** Status of `path` below an open folder, links followed; the error number where that fails. No exception: the hot path asks often. */
  statAt(folder: Fd, path: Uint8Array<ArrayBuffer>): FileStatus | number {
    if (this.#c.fstatat(folder.number, path, this.#stat.bytes, 0) !== 0) return this.errno();
    return {
      device: this.#stat.u64(0),
      inode: this.#stat.u64(8),
      mode: this.#stat.u32(STAT_MODE_OFFSET),
      uid: this.#stat.u32(STAT_UID_OFFSET),
    };
  }

  /** Whether `path` below an open folder, links followed, is this very file; the error number where it cannot be looked at. */
  isFileAt(
    folder: Fd,
    path: Uint8Array<ArrayBuffer>,
    file: Pick<FileStatus, "device" | "inode">,
  ): boolean | number {
    if (this.#c.fstatat(folder.number, path, this.#stat.bytes, 0) !== 0) return this.errno();
    return this.#stat.u64(8) === file.inode && this.#stat.u64(0) === file.device;
  }

  /** Reads a small file below an open folder, at most `buffer.length` bytes in one read; the error number where that fails. */
  readAt(
    folder: Fd,
    path: Uint8Array<ArrayBuffer>,
    buffer: Uint8Array<ArrayBuffer>,
  ): Uint8Array | number {
    const number = this.#c.openat(folder.number, path, O_CLOEXEC, 0);
    if (number < 0) return this.errno();
    using file = this.own(number);
    const count = Number(this.#c.read(file.number, buffer, BigInt(buffer.length)));
    if (count < 0) return this.errno();
    return buffer.subarray(0, count);
  }

  /** Reads a link below an open folder; the error number where that fails. */
  readLinkAt(
    folder: Fd,
    path: Uint8Array<ArrayBuffer>,
    buffer: Uint8Array<ArrayBuffer>,
  ): Uint8Array | number {
    const count = Number(this.#c.readlinkat(folder.number, path, buffer, BigInt(buffer.length)));
    if (count < 0) return this.errno();
    return buffer.subarray(0, count);
  }

  /** Mounts a file system without setuid, devices and programs. @throws ErrnoError */
  mount(type: string, target: string, options: string): void {
    this.#check(
      this.#c.mount(
        cString(type),
        cString(target),
        cString(type),
        MS_NOSUID | MS_NODEV | MS_NOEXEC,
        cString(options),
      ),
      () => `mount ${type} on \`${target}\``,
    );
  }

  /** Unmounts, lazily where it is in use. @throws ErrnoError */
  unmount(target: string): void {
    this.#check(this.#c.umount2(cString(target), MNT_DETACH), () => `unmount \`${target}\``);
  }

  /** Magic number of the file system that holds `path`. @throws ErrnoError */
  fileSystemType(path: string): number {
    const status = new StructBuffer(256);
    this.#check(this.#c.statfs(cString(path), status.bytes), () => `look at \`${path}\``);
    return status.u32(0);
  }

  /** Room in the file system that holds `path`. @throws ErrnoError */
  fileSystemSpace(path: string): FileSystemSpace {
    // struct statfs { long type, bsize; u64 blocks, bfree, bavail, files, ffree; fsid; long namelen, frsize, flags; ... }
    const status = new StructBuffer(256);
    this.#check(this.#c.statfs(cString(path), status.bytes), () => `look at \`${path}\``);
    const blockBytes = Number(status.u64(8));
    return {
      isReadOnly: (status.u64(80) & ST_RDONLY) !== 0n,
      totalBytes: blockBytes * Number(status.u64(16)),
      freeBytes: blockBytes * Number(status.u64(32)),
      totalFiles: Number(status.u64(40)),
      freeFiles: Number(status.u64(48)),
    };
  }

  /** Whether something keeps the system's clock right. Nothing is set. @throws ErrnoError */
  clockDiscipline(): ClockDiscipline {
    // struct timex { u32 modes; long offset, freq, maxerror, esterror; int status; ... }
    const state = new StructBuffer(256);
    this.#check(this.#c.adjtimex(state.bytes), () => "read the clock's state");
    return {
      isSynchronised: (state.u32(40) & STA_UNSYNC) === 0,
      maxErrorMs: Number(state.view.getBigInt64(24, true)) / 1000,
    };
  }

  /** The time of a hardware clock such as `/dev/ptp0`, milliseconds since the epoch. @throws ErrnoError */
  deviceClockMs(path: string): number {
    using device = this.own(this.#check(
      this.#c.openat(AT_FDCWD, cString(path), O_CLOEXEC, 0),
      () => `open \`${path}\``,
    ));
    const clockId = (~device.number << 3) | 3;
    this.#check(
      this.#c.clock_gettime(clockId, this.#time.bytes),
      () => `read the clock \`${path}\``,
    );
    return Number(this.#time.u64(0)) * 1000 + Number(this.#time.u64(8)) / 1e6;
  }

  /**
   * Begins a connection and closes it at once: no byte is sent on it. `mapped` dials by an IPv4-mapped IPv6 address.
   * @throws ErrnoError when there is no socket to be had
   */
  dialOnce(address: readonly number[], port: number, mapped: boolean): DialledSocket {
    const family = mapped ? AF_INET6 : AF_INET;
    using socket = this.own(this.#check(
      this.#c.socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
      () => "open a socket",
    ));
    const to = new StructBuffer(SOCKADDR_BYTES);
    to.setU16(0, family);
    to.setNetU16(2, port);
    if (mapped) to.setU16(18, 0xffff);
    to.bytes.set(address, ADDRESS_OFFSET[family]);
    const length = mapped ? SOCKADDR_BYTES : 16;
    const begun = this.#c.connect(socket.number, to.bytes, length) === 0;
    const errno = begun ? 0 : this.errno();
    const name = new StructBuffer(SOCKADDR_BYTES);
    const at = ADDRESS_OFFSET[family];
    const quad = () => name.bytes.subarray(at, at + 4).join(".");
    const ask = (call: "getsockname" | "getpeername") => {
      this.#length.setU32(0, SOCKADDR_BYTES);
      return this.#c[call](socket.number, name.bytes, this.#length.bytes) === 0 ? quad() : null;
    };
    return {
      errno: errno === EINPROGRESS ? 0 : errno,
      localAddress: ask("getsockname") ?? "0.0.0.0",
      peerAddress: ask("getpeername"),
    };
  }

  /** Raises the limit of open descriptors to `wanted`, or as far as the system lets us; returns what it is now. */
  raiseDescriptorLimit(wanted: number): number {
    const limit = new StructBuffer(16);
    if (this.#c.getrlimit(RLIMIT_NOFILE, limit.bytes) !== 0) return 0;
    const soft = Number(limit.u64(0));
    const hard = Number(limit.u64(8));
    if (soft >= wanted) return soft;
    limit.setU64(0, BigInt(wanted));
    limit.setU64(8, BigInt(Math.max(wanted, hard)));
    if (this.#c.setrlimit(RLIMIT_NOFILE, limit.bytes) === 0) return wanted;
    limit.setU64(0, BigInt(hard));
    limit.setU64(8, BigInt(hard));
    return this.#c.setrlimit(RLIMIT_NOFILE, limit.bytes) === 0 ? hard : soft;
  }

  /**
   * Takes the pages of a mapping out of memory; whether it did. What was written to them is lost: only for mappings of
   * files that nobody writes to. Source: madvise(2).
   */
  dropPages(address: bigint, length: bigint): boolean {
    return this.#c.madvise(address, length, MADV_DONTNEED) === 0;
  }

  /** Sends one datagram to a Unix socket by the bytes of its name, as `sun_path` wants them. @throws ErrnoError */
  sendUnixDatagram(name: Uint8Array, text: string): void {
    const address = new StructBuffer(SOCKADDR_UN_BYTES);
    if (name.length > SOCKADDR_UN_BYTES - 2) {
      throw new ErrnoError(ENAMETOOLONG, "send to a Unix socket");
    }
    address.setU16(0, AF_UNIX);
    address.bytes.set(name, 2);
    const data = new TextEncoder().encode(text);
    using socket = this.own(this.#check(
      this.#c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
      () => "open a socket",
    ));
    this.#check(
      this.#c.sendto(
        socket.number,
        data,
        BigInt(data.length),
        MSG_DONTWAIT,
        address.bytes,
        2 + name.length,
      ),
      () => "send to a Unix socket",
    );
  }

  /**
   * Sends an empty datagram to an IPv4 address, four bytes, without waiting. @throws ErrnoError EPERM where a filter of
   * addresses stands in between
   */
  sendUdpDatagram(address: Uint8Array, port: number): void {
    const to = new StructBuffer(SOCKADDR_IN_BYTES);
    to.setU16(0, AF_INET);
    to.bytes.set([port >> 8, port & 0xff, ...address], 2);
    using socket = this.own(this.#check(
      this.#c.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
      () => "open a socket",
    ));
    this.#check(
      this.#c.sendto(socket.number, to.bytes, 0n, MSG_DONTWAIT, to.bytes, SOCKADDR_IN_BYTES),
      () => `send to \`${address.join(".")}\``,
    );
  }

  /** Formats as `vsnprintf` does: for C callbacks that hand over a format and its arguments. At most 4,095 bytes. */
  format(format: Deno.PointerValue, argumentList: Deno.PointerValue): string {
    const text = new StructBuffer(4096);
    this.#c.vsnprintf(text.bytes, 4096n, format, argumentList);
    return text.text(0, 4096);
  }

  /** The user with this id; `null` when there is none. Runs off the main thread. @throws ErrnoError */
  userById(uid: number): Promise<PasswdEntry | null> {
    // struct passwd { char *name; char *password; uid_t uid; gid_t gid; ... }
    const entry = new StructBuffer(64);
    return this.#lookUp(
      (buffer, result) =>
        this.#lookups.symbols.getpwuid_r(uid, entry.bytes, buffer, BigInt(buffer.length), result),
      () => ({ name: pointedText(entry, 0), gid: entry.u32(20) }),
      `look up the user ${uid}`,
    );
  }

  /** Name of a group; `null` when there is none. Runs off the main thread. @throws ErrnoError */
  groupById(gid: number): Promise<string | null> {
    // struct group { char *name; ... }
    const entry = new StructBuffer(64);
    return this.#lookUp(
      (buffer, result) =>
        this.#lookups.symbols.getgrgid_r(gid, entry.bytes, buffer, BigInt(buffer.length), result),
      () => pointedText(entry, 0),
      `look up the group ${gid}`,
    );
  }

  /** Ids of all groups of a user, the primary one first; at most 1,024. Runs off the main thread. */
  async groupIds(userName: string, primaryGid: number): Promise<number[]> {
    const capacity = 1024;
    const groups = new StructBuffer(capacity * 4);
    const count = new StructBuffer(4);
    count.setU32(0, capacity);
    const name = cString(userName);
    await this.#lookups.symbols.getgrouplist(name, primaryGid, groups.bytes, count.bytes);
    name.fill(0); // read on another thread: it must live until here
    const found = Math.min(count.u32(0), capacity);
    return Array.from({ length: found }, (_, index) => groups.u32(index * 4));
  }

  /** Calls one of the `get..._r` functions with a growing buffer of at most 1 MiB and reads the entry that points into it. */
  async #lookUp<T>(
    call: (
      buffer: Uint8Array<ArrayBuffer>,
      result: Uint8Array<ArrayBuffer>,
    ) => Promise<number>,
    read: () => T,
    attempted: string,
  ): Promise<T | null> {
    for (let size = 4096;; size *= 4) {
      const buffer = new Uint8Array(size);
      const result = new StructBuffer(8);
      const errno = await call(buffer, result.bytes);
      if (errno === ERANGE && size < MAX_LOOKUP_BYTES) continue;
      if (errno !== 0) throw new ErrnoError(errno, attempted);
      const found = result.u64(0) === 0n ? null : read();
      buffer.fill(0); // the entry points into it: it must live until here
      return found;
    }
  }
}

function pointedText(entry: StructBuffer, offset: number): string {
  const pointer = Deno.UnsafePointer.create(entry.u64(offset));
  return pointer === null ? "" : new Deno.UnsafePointerView(pointer).getCString();
}
