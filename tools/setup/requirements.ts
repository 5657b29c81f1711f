import { type Problem, SetupError } from "./failure.ts";

/** What is known about the machine, gathered by {@link observeMachine}. */
export interface Machine {
  readonly os: string;
  readonly arch: string;
  readonly uid: number | null;
  /** `uname -r`, such as `6.1.0-18-amd64`. */
  readonly kernelRelease: string;
  /** Text of `/proc/self/mountinfo`. */
  readonly mountInfo: string;
  /** Text of `/proc/self/status`. */
  readonly processStatus: string;
  /** Where `/proc/self/ns/pid` leads. */
  readonly pidNamespace: string;
  /** True when `/sys/kernel/btf/vmlinux` can be read. */
  readonly hasKernelTypes: boolean;
  /** Name of the error with which the kernel answers the creation of a BPF map; null when it creates one. */
  readonly bpfError: string | null;
}

const OLDEST_KERNEL = [5, 15] as const;
/** Capability numbers of `linux/capability.h` that the agent and its tests cannot do without. */
const NEEDED_CAPABILITIES = [["CAP_NET_ADMIN", 12], ["CAP_SYS_ADMIN", 21]] as const;
/** The namespace of process ids in which the machine started; its number is part of the kernel's interface. */
const FIRST_PID_NAMESPACE = "pid:[4026531836]";
const CONTAINER_REMEDY =
  "in a container, start it with `--privileged --pid=host --cgroupns=host`; else use a virtual machine";

/** Where the machine has a cgroup2 file system, and whether it may be written; null when there is none. */
export function findCgroup2(mountInfo: string): { path: string; writable: boolean } | null {
  for (const line of mountInfo.split("\n")) {
    const [before, after] = line.split(" - ", 2);
    if (before === undefined || after === undefined || !after.startsWith("cgroup2 ")) continue;
    const fields = before.split(" ");
    const path = fields[4];
    if (path === undefined) continue;
    return { path: unescapeMount(path), writable: (fields[5] ?? "").split(",").includes("rw") };
  }
  return null;
}

/** Mount paths carry blanks and backslashes as three octal digits. */
function unescapeMount(path: string): string {
  return path.replaceAll(
    /\\([0-7]{3})/g,
    (_, digits: string) => String.fromCharCode(parseInt(digits, 8)),
  );
}

/** Everything that keeps the demo and the kernel tests from running on `machine`; empty when they can run. */
export function findProblems(machine: Machine): Problem[] {
  if (machine.os !== "linux") {
    return [{
      reason: `the kernel programs need Linux, and this is \`${machine.os}\``,
      remedy: "run it on a Linux machine or in a Linux virtual machine",
    }];
  }
  const problems: Problem[] = [];
  const problem = (reason: string, remedy: string) => problems.push({ reason, remedy });
  if (machine.arch !== "x86_64" && machine.arch !== "aarch64") {
    problem(
      `the processor is \`${machine.arch}\``,
      "use a machine with an x86-64 or arm64 processor",
    );
  }
  if (machine.uid !== 0) {
    problem(
      "loading kernel programs needs root",
      "run the same command as root, with sudo for example",
    );
  }
  if (olderThan(machine.kernelRelease, OLDEST_KERNEL)) {
    problem(
      `the kernel is \`${machine.kernelRelease}\`, older than ${OLDEST_KERNEL.join(".")}`,
      `boot a kernel of ${OLDEST_KERNEL.join(".")} or newer`,
    );
  }
  const cgroup2 = findCgroup2(machine.mountInfo);
  if (cgroup2 === null) {
    problem(
      "no cgroup2 file system is mounted",
      "mount one: `mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified`",
    );
  } else if (!cgroup2.writable) {
    problem(`the cgroup2 file system on \`${cgroup2.path}\` is read-only`, CONTAINER_REMEDY);
  }
  if (machine.pidNamespace !== FIRST_PID_NAMESPACE) {
    problem(
      "process ids here are not those that the kernel programs see, so no caller would be known",
      CONTAINER_REMEDY,
    );
  }
  if (!machine.hasKernelTypes) {
    problem(
      "`/sys/kernel/btf/vmlinux` cannot be read, so the kernel does not tell its types (BTF)",
      "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (those of Debian 11, Ubuntu 20.10 and later are), " +
        "and see that sysfs is mounted on /sys",
    );
  }
  if (machine.uid !== 0) return problems;
  const lacking = NEEDED_CAPABILITIES.filter(([, bit]) =>
    !hasCapability(machine.processStatus, bit)
  );
  if (lacking.length > 0) {
    problem(
      `root lacks ${lacking.map(([name]) => name).join(" and ")} here`,
      CONTAINER_REMEDY,
    );
  } else if (machine.bpfError !== null) {
    problem(
      `the kernel refuses to create a BPF map (${machine.bpfError})`,
      "allow the bpf system call (seccomp profile, kernel lockdown, CONFIG_BPF_SYSCALL); " +
        CONTAINER_REMEDY,
    );
  }
  return problems;
}

/** True when a kernel release names an older version; an unreadable one is taken as new enough. */
function olderThan(release: string, oldest: readonly [number, number]): boolean {
  const match = /^(\d+)\.(\d+)/.exec(release);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
}

function hasCapability(processStatus: string, bit: number): boolean {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(processStatus);
  return match?.[1] !== undefined && (BigInt(`0x${match[1]}`) >> BigInt(bit) & 1n) === 1n;
}

/** Looks at the machine this runs on. */
export function observeMachine(): Machine {
  const linux = Deno.build.os === "linux";
  return {
    os: Deno.build.os,
    arch: Deno.build.arch,
    uid: Deno.uid(),
    kernelRelease: Deno.osRelease(),
    mountInfo: linux ? Deno.readTextFileSync("/proc/self/mountinfo") : "",
    processStatus: linux ? Deno.readTextFileSync("/proc/self/status") : "",
    pidNamespace: linux ? Deno.readLinkSync("/proc/self/ns/pid") : "",
    hasKernelTypes: canOpen("/sys/kernel/btf/vmlinux"),
    bpfError: linux ? tryBpfMap() : null,
  };
}

function canOpen(path: string): boolean {
  try {
    Deno.openSync(path).close();
    return true;
  } catch {
    return false;
  }
}

/** Creates and closes a BPF array map of one element. Returns null, or what the kernel answered instead. */
function tryBpfMap(): string | null {
  const callNumber = { x86_64: 321n, aarch64: 280n }[Deno.build.arch as string];
  if (callNumber === undefined) return null;
  const libc = Deno.dlopen("libc.so.6", {
    syscall: { parameters: ["i64", "i32", "buffer", "u32"], result: "i64" },
    close: { parameters: ["i32"], result: "i32" },
    __errno_location: { parameters: [], result: "pointer" },
    strerror: { parameters: ["i32"], result: "pointer" },
  });
  try {
    // union bpf_attr for BPF_MAP_CREATE (command 0): map_type (2 = array), key_size, value_size, max_entries, flags.
    const attributes = new Uint32Array([2, 4, 4, 1, 0]);
    const bytes = new Uint8Array(attributes.buffer);
    const fd = Number(libc.symbols.syscall(callNumber, 0, bytes, bytes.byteLength));
    if (fd >= 0) {
      libc.symbols.close(fd);
      return null;
    }
    const errno = libc.symbols.__errno_location();
    const text = errno === null
      ? null
      : libc.symbols.strerror(new Deno.UnsafePointerView(errno).getInt32());
    return text === null ? "unknown error" : new Deno.UnsafePointerView(text).getCString();
  } finally {
    libc.close();
  }
}

/**
 * Checks that the demo, the kernel tests and the bench can run here.
 * @throws SetupError naming every cause with its remedy.
 */
export function requirements(): void {
  const [first, ...others] = findProblems(observeMachine());
  if (first !== undefined) throw new SetupError([first, ...others]);
}
