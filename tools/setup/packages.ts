import { onPath } from "./program_path.ts";

/** A package manager that the tools know how to speak to. */
export type Manager = "apt" | "dnf" | "zypper";

/** Something the demo, the tests or the bench use and a package brings. */
export type Tool =
  | "bpf-headers"
  | "bpftool"
  | "clang"
  | "curl"
  | "ip"
  | "java"
  | "libbpf"
  | "llvm-strip"
  | "nginx"
  | "node"
  | "openssl"
  | "ps"
  | "python3"
  | "ssh-keygen"
  | "wrk";

/** What building the kernel programs takes. */
export const BUILD_TOOLS: readonly Tool[] = ["clang", "llvm-strip", "bpf-headers"];
/** What running the agent with its simulator in namespaces of their own takes. */
export const RUN_TOOLS: readonly Tool[] = ["libbpf", "ip", "ps"];
/** The unmodified clients that the demo and the tests send through the redirect. */
export const CLIENT_TOOLS: readonly Tool[] = [
  "curl",
  "python3",
  "node",
  "java",
  "openssl",
  "ssh-keygen",
];

interface ToolRow {
  readonly present: () => boolean;
  /** Packages by manager; of several names for the same thing, the first one that the machine's sources offer is taken. */
  readonly packages: Readonly<Record<Manager, readonly (readonly [string, ...string[]])[]>>;
}

const TOOLS: Readonly<Record<Tool, ToolRow>> = {
  "bpf-headers": {
    present: () => exists("/usr/include/bpf/bpf_helpers.h") && exists("/usr/include/linux/bpf.h"),
    packages: {
      apt: [["libbpf-dev"], ["linux-libc-dev"]],
      dnf: [["libbpf-devel"], ["kernel-headers"]],
      zypper: [["libbpf-devel"], ["linux-glibc-devel"]],
    },
  },
  "bpftool": {
    present: () => bpftoolPath() !== null,
    packages: {
      apt: [["bpftool", "linux-tools-generic"]],
      dnf: [["bpftool"]],
      zypper: [["bpftool"]],
    },
  },
  "clang": { present: () => onPath("clang") !== null, packages: everywhere("clang") },
  "curl": { present: () => onPath("curl") !== null, packages: everywhere("curl") },
  "ip": {
    present: () => onPath("ip") !== null,
    packages: { apt: [["iproute2"]], dnf: [["iproute"]], zypper: [["iproute2"]] },
  },
  "java": {
    present: canRunJavaSource,
    packages: {
      apt: [["default-jre-headless"]],
      dnf: [["java-latest-openjdk-devel"]],
      zypper: [["java-21-openjdk-devel"]],
    },
  },
  "libbpf": {
    present: () => canLoad("libbpf.so.1") || canLoad("libbpf.so.0"),
    packages: { apt: [["libbpf1", "libbpf0"]], dnf: [["libbpf"]], zypper: [["libbpf1"]] },
  },
  "llvm-strip": { present: () => onPath("llvm-strip") !== null, packages: everywhere("llvm") },
  "nginx": { present: () => onPath("nginx") !== null, packages: everywhere("nginx") },
  "node": {
    present: () => nodePath() !== null,
    packages: { apt: [["nodejs"]], dnf: [["nodejs"]], zypper: [["nodejs"]] },
  },
  "openssl": { present: () => onPath("openssl") !== null, packages: everywhere("openssl") },
  "ps": {
    present: () => onPath("ps") !== null && onPath("pgrep") !== null,
    packages: { apt: [["procps"]], dnf: [["procps-ng"]], zypper: [["procps"]] },
  },
  "python3": { present: () => onPath("python3") !== null, packages: everywhere("python3") },
  "ssh-keygen": {
    present: () => onPath("ssh-keygen") !== null,
    packages: {
      apt: [["openssh-client"]],
      dnf: [["openssh", "openssh-clients"]],
      zypper: [["openssh-common", "openssh"]],
    },
  },
  "wrk": { present: () => onPath("wrk") !== null, packages: everywhere("wrk") },
};

/** Those of `tools` that are not on this machine yet. */
export function missingTools(tools: readonly Tool[]): Tool[] {
  return [...new Set(tools)].filter((tool) => !TOOLS[tool].present());
}

/** The packages that bring `tools`, each as a list of names for the same thing, best first. */
export function packagesFor(tools: readonly Tool[], manager: Manager): (readonly string[])[] {
  return tools.flatMap((tool) => TOOLS[tool].packages[manager]);
}

/**
 * A bpftool that runs, or null. Ubuntu puts a script on the path that refuses to run where no tools of the very kernel
 * are installed; the program itself lies in a folder of its own and serves any kernel.
 */
export function bpftoolPath(): string | null {
  const candidates = [onPath("bpftool"), ...ubuntuBpftools()].filter((path) => path !== null);
  return candidates.find((path) => succeeds(path, ["version"])) ?? null;
}

/** Node itself, or null. Where a machine has none, `deno task` puts Deno on the path under this name. */
export function nodePath(): string | null {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return onPath("node", folders.filter((each) => !each.endsWith("/node_compat_bin")).join(":"));
}

function ubuntuBpftools(): string[] {
  try {
    return [...Deno.readDirSync("/usr/lib/linux-tools")]
      .map((entry) => `/usr/lib/linux-tools/${entry.name}/bpftool`)
      .filter(exists);
  } catch {
    return [];
  }
}

function everywhere(name: string): ToolRow["packages"] {
  return { apt: [[name]], dnf: [[name]], zypper: [[name]] };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Whether `java FILE.java` works: that takes the compiler's module, which not every runtime brings. */
function canRunJavaSource(): boolean {
  return onPath("java") !== null &&
    succeeds("java", ["--limit-modules", "jdk.compiler", "-version"]);
}

function canLoad(library: string): boolean {
  try {
    Deno.dlopen(library, {}).close();
    return true;
  } catch {
    return false;
  }
}

function succeeds(program: string, args: string[]): boolean {
  try {
    return new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}
