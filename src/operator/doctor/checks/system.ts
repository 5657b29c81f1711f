import { type Check, fail, fine, judge, ownCommand, type Problem, warn } from "../check.ts";

const OLDEST_KERNEL = [5, 15];
const NEWEST_KERNEL_TRIED = [6, 18];
const ROOT_UID = 0;
const BTF_PATH = "/sys/kernel/btf/vmlinux";
const LOCKDOWN_PATH = "/sys/kernel/security/lockdown";

/** Whether doctor sees everything. */
export const rights: Check = {
  name: "rights",
  title: "rights of this run",
  run: ({ machine: { uid }, settings }) =>
    uid === ROOT_UID ? fine("running as root") : warn(
      `running as user ${uid ?? "unknown"}: most of what follows cannot be seen`,
      `run it as root: sudo ${ownCommand("doctor", settings)}`,
    ),
};

/** Source: agent 7.1, 7.2. */
export const kernelVersion: Check = {
  name: "kernel",
  title: "kernel",
  async run({ machine }) {
    const release = machine.kernelRelease;
    const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
    const problems: Problem[] = [];
    if (isBelow([major, minor], OLDEST_KERNEL)) {
      problems.push(fail(
        `kernel ${release} is older than 5.15, the oldest that the kernel programs run on`,
        "update the system to a kernel of 5.15 or newer",
      ));
    } else if (isBelow(NEWEST_KERNEL_TRIED, [major, minor])) {
      problems.push(warn(
        `kernel ${release} is newer than 6.18, the newest that was tried`,
        "look at the checks of the attach points and the probes below; if they are OK, all is well",
      ));
    }
    const lockdown = await machine.readText(LOCKDOWN_PATH, 256) ?? "";
    if (lockdown.includes("[confidentiality]")) {
      problems.push(warn(
        "the kernel is locked down to confidentiality, which keeps programs from reading tasks",
        "boot with lockdown=integrity or without lockdown",
      ));
    }
    return judge(problems, `kernel ${release}`);
  },
};

/** Type information, by which the programs find the members of the kernel's structures. Source: agent 7.2. */
export const btf: Check = {
  name: "btf",
  title: "type information of the kernel",
  async run({ machine }) {
    const facts = await machine.facts(BTF_PATH);
    return facts !== null && facts.sizeBytes > 0
      ? fine(`${BTF_PATH} is there, ${facts.sizeBytes} bytes`)
      : fail(
        `there is no type information at ${BTF_PATH}`,
        "use a kernel that is built with CONFIG_DEBUG_INFO_BTF=y, as those of distributions are",
      );
  },
};

/** The library that loads the kernel programs. */
export const library: Check = {
  name: "library",
  title: "libbpf",
  run: ({ machine: { kernel } }) =>
    "missing" in kernel
      ? fail(kernel.missing, "install libbpf: apt-get install libbpf1, or dnf install libbpf")
      : fine("libbpf can be opened"),
};

/** Source: agent 1.10. */
export const cgroup: Check = {
  name: "cgroup",
  title: "cgroup to attach to",
  run(situation) {
    const { cgroupRoot } = situation.settings;
    let path: string;
    try {
      path = situation.kernel.cgroup();
    } catch (error) {
      return fail(
        error instanceof Error ? error.message : String(error),
        "boot with systemd.unified_cgroup_hierarchy=1, or mount one: mount -t cgroup2 none /sys/fs/cgroup",
      );
    }
    return path === cgroupRoot ? fine(`${path} is a cgroup v2`) : warn(
      `\`${cgroupRoot}\` (cgroupRoot) is no cgroup v2; ${path} is used in its place`,
      `set cgroupRoot to ${path}`,
    );
  },
};

/** Source: agent 7.1. */
export const bpfObject: Check = {
  name: "bpf-object",
  title: "files of the kernel programs",
  async run({ machine, settings }) {
    const found: string[] = [];
    const problems: Problem[] = [];
    for (const variant of ["full", "no-task-reads"] as const) {
      const path = await firstFile(settings.bpfObjects[variant], async (candidate) => {
        const facts = await machine.facts(candidate);
        return facts !== null && facts.kind !== "folder";
      });
      if (path !== null) {
        const magic = await machine.readText(path, 4);
        if (magic === "\x7fELF") found.push(`${variant}: ${path}`);
        else problems.push(fail(`${path} is no object file`, INSTALL));
      } else if (variant === "full") {
        problems.push(fail(
          `there is no object file at ${settings.bpfObjects[variant].join(" or ")}`,
          INSTALL,
        ));
      } else {
        problems.push(warn("the variant for kernels that refuse task reads is missing", INSTALL));
      }
    }
    return judge(problems, found.join(", "));
  },
};

const INSTALL =
  "install the object files into /usr/lib/azure-proxy-agent, or set ebpfFileFullPath to the first one";

async function firstFile(
  paths: readonly string[],
  isThere: (path: string) => Promise<boolean>,
): Promise<string | null> {
  for (const path of paths) if (await isThere(path)) return path;
  return null;
}

function isBelow(left: readonly number[], right: readonly number[]): boolean {
  const [major = 0, minor = 0] = left;
  const [otherMajor = 0, otherMinor = 0] = right;
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
