import type { Libc } from "../../../ffi/libc.ts";
import { AgentError } from "../../runtime/errors.ts";

/** Magic numbers of `statfs`. Source: linux/magic.h. */
export const CGROUP2_MAGIC = 0x63677270;
const BPF_FS_MAGIC = 0xcafe4a11;

/** The first mount point of a file system type in the text of /proc/self/mountinfo; `null` when there is none. Source: proc(5). */
export function firstMountPoint(mountinfo: string, type: string): string | null {
  for (const line of mountinfo.split("\n")) {
    const [mount, source] = line.split(" - ");
    if (source?.split(" ")[0] !== type) continue;
    const path = mount?.split(" ")[4];
    if (path !== undefined) return unescapePath(path);
  }
  return null;
}

/** mountinfo writes blanks and backslashes in paths as octal escapes. */
function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}

/**
 * The cgroup to attach to: the configured one where it is a cgroup v2, else the first cgroup v2 that is mounted.
 * @throws AgentError CGROUP_MISSING
 */
export function findCgroup(libc: Libc, configured: string): string {
  if (isOn(libc, configured, CGROUP2_MAGIC)) return configured;
  const mounted = firstMountPoint(Deno.readTextFileSync("/proc/self/mountinfo"), "cgroup2");
  if (mounted !== null) return mounted;
  throw new AgentError(
    "CGROUP_MISSING",
    `no cgroup v2 is mounted and \`${configured}\` (cgroupRoot) is none; boot with systemd.unified_cgroup_hierarchy=1 or mount one: mount -t cgroup2 none /sys/fs/cgroup`,
  );
}

function isOn(libc: Libc, path: string, magic: number): boolean {
  try {
    return libc.fileSystemType(path) === magic;
  } catch {
    return false;
  }
}

/** Where a BPF file system of our own is mounted when the configured folder is not below one. */
export const OWN_BPF_MOUNT = "/run/azure-proxy-agent/bpf";

/**
 * The folder for the pins: the configured one where it lies on a BPF file system; else one on a BPF file system that is
 * mounted for it, at the configured folder or, where that cannot be made (below /sys), at `OWN_BPF_MOUNT`.
 * @throws AgentError BPF_ATTACH
 */
export function ensureBpfFolder(libc: Libc, configured: string): string {
  try {
    if (isOn(libc, nearestExisting(configured), BPF_FS_MAGIC)) {
      Deno.mkdirSync(configured, { recursive: true, mode: 0o700 });
      return configured;
    }
    const folder = canMake(configured) ? configured : OWN_BPF_MOUNT;
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isOn(libc, folder, BPF_FS_MAGIC)) libc.mount("bpf", folder, "mode=0700");
    return folder;
  } catch (cause) {
    throw new AgentError(
      "BPF_ATTACH",
      `no BPF file system could be had at \`${configured}\` (bpfFolder); mount one: mount -t bpf bpf /sys/fs/bpf`,
      { cause },
    );
  }
}

function canMake(folder: string): boolean {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    return true;
  } catch {
    return false;
  }
}

function nearestExisting(path: string): string {
  let at = path;
  while (at.length > 1) {
    try {
      Deno.statSync(at);
      return at;
    } catch {
      at = at.slice(0, Math.max(1, at.lastIndexOf("/")));
    }
  }
  return "/";
}

/** Unmounts `folder` where it is itself the mount point of a BPF file system and no pin is left in it, so that a clean stop leaves nothing. */
export function releaseBpfFolder(libc: Libc, folder: string): void {
  if ([...Deno.readDirSync(folder)].some((entry) => entry.isDirectory)) return;
  const mountinfo = Deno.readTextFileSync("/proc/self/mountinfo");
  const mounted = mountinfo.split("\n").some((line) => {
    const [mount, source] = line.split(" - ");
    return source?.startsWith("bpf ") && unescapePath(mount?.split(" ")[4] ?? "") === folder;
  });
  if (!mounted) return;
  libc.unmount(folder);
  Deno.removeSync(folder);
}
