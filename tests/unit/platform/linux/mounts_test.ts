import assert from "node:assert/strict";
import { Libc } from "../../../../ffi/libc.ts";
import {
  ensureBpfFolder,
  findCgroup,
  firstMountPoint,
  OWN_BPF_MOUNT,
  releaseBpfFolder,
} from "../../../../src/platform/linux/mounts.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";

/** The library stays loaded, so it is loaded outside of the tests. */
const realLibc = new Libc();
const CGROUP2_MAGIC = 0x63677270;
const BPF_FS_MAGIC = 0xcafe4a11;

const MOUNTINFO = `24 30 0:22 / /proc rw,nosuid - proc proc rw
25 30 0:23 / /sys rw - sysfs sysfs rw
31 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
33 31 0:28 / /sys/fs/cgroup/cpu rw shared:5 master:2 - cgroup cgroup rw,cpu
32 31 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup2 rw
40 30 0:35 / /mnt/a\\040blank\\134backslash rw - bpf bpf rw,mode=700
41 30 0:36 / /mnt/second rw - bpf bpf rw
`;

/** A C library whose file systems and mounts are made up. */
function fakeLibc(
  types: Readonly<Record<string, number>>,
  mount: (type: string, target: string, options: string) => void = () => {},
): Libc {
  return {
    fileSystemType(path: string) {
      const type = types[path];
      if (type === undefined) throw new Error(`nothing at ${path}`);
      return type;
    },
    mount,
  } as unknown as Libc;
}

async function inFolder(play: (folder: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    play(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Not while somebody uses it. */
function removeEmpty(folder: string): void {
  try {
    Deno.removeSync(folder);
  } catch {
    // It is in use, or was never made.
  }
}

Deno.test("firstMountPoint() finds the first mount of a type, whatever optional fields there are", () => {
  assert.equal(firstMountPoint(MOUNTINFO, "proc"), "/proc");
  assert.equal(firstMountPoint(MOUNTINFO, "cgroup2"), "/sys/fs/cgroup/unified");
  assert.equal(firstMountPoint(MOUNTINFO, "cgroup"), "/sys/fs/cgroup/cpu");
});

Deno.test("firstMountPoint() reads escaped paths", () => {
  assert.equal(firstMountPoint(MOUNTINFO, "bpf"), "/mnt/a blank\\backslash");
});

Deno.test("firstMountPoint() is null where nothing of the type is mounted or the text is none", () => {
  assert.equal(firstMountPoint(MOUNTINFO, "nfs"), null);
  assert.equal(firstMountPoint("", "proc"), null);
  assert.equal(firstMountPoint("a - proc", "proc"), null);
  assert.equal(firstMountPoint("no separator at all", "proc"), null);
});

Deno.test("findCgroup() takes the configured folder where it is a cgroup v2", () => {
  assert.equal(findCgroup(fakeLibc({ "/a/group": CGROUP2_MAGIC }), "/a/group"), "/a/group");
});

Deno.test("findCgroup() takes the mounted cgroup v2 where the configured folder is none or missing", () => {
  const mounted = firstMountPoint(Deno.readTextFileSync("/proc/self/mountinfo"), "cgroup2");
  for (const libc of [fakeLibc({ "/a/group": 0x9fa0 }), fakeLibc({})]) {
    if (mounted !== null) {
      assert.equal(findCgroup(libc, "/a/group"), mounted);
    } else {
      assert.throws(
        () => findCgroup(libc, "/a/group"),
        (error) => error instanceof AgentError && error.code === "CGROUP_MISSING",
      );
    }
  }
});

Deno.test("ensureBpfFolder() makes the folder on a BPF file system that is there", () =>
  inFolder((folder) => {
    const libc = fakeLibc(
      { [folder]: BPF_FS_MAGIC },
      () => assert.fail("nothing is to be mounted"),
    );
    assert.equal(ensureBpfFolder(libc, `${folder}/deep/agent`), `${folder}/deep/agent`);
    assert.equal(Deno.statSync(`${folder}/deep/agent`).mode! & 0o777, 0o700);
  }));

Deno.test("ensureBpfFolder() mounts one at the configured folder where that lies elsewhere", () =>
  inFolder((folder) => {
    const mounts: string[][] = [];
    const libc = fakeLibc({ [folder]: 0xef53 }, (...mount) => mounts.push(mount));
    assert.equal(ensureBpfFolder(libc, `${folder}/bpf`), `${folder}/bpf`);
    assert.deepEqual(mounts, [["bpf", `${folder}/bpf`, "mode=0700"]]);
  }));

Deno.test("ensureBpfFolder() does not mount a second one over its own", () =>
  inFolder((folder) => {
    Deno.mkdirSync(`${folder}/bpf`);
    const types = { [`${folder}/bpf`]: BPF_FS_MAGIC };
    const libc = fakeLibc(types, () => assert.fail("nothing is to be mounted"));
    assert.equal(ensureBpfFolder(libc, `${folder}/bpf`), `${folder}/bpf`);
  }));

Deno.test("ensureBpfFolder() says what to do where nothing can be mounted", () =>
  inFolder((folder) => {
    const libc = fakeLibc({ [folder]: 0xef53 }, () => {
      throw new Error("not permitted");
    });
    assert.throws(() => ensureBpfFolder(libc, `${folder}/bpf`), (error) => {
      assert.ok(error instanceof AgentError);
      assert.equal(error.code, "BPF_ATTACH");
      assert.match(error.message, /mount -t bpf bpf \/sys\/fs\/bpf$/);
      return true;
    });
  }));

Deno.test("ensureBpfFolder() falls back to a place of its own where the configured folder cannot be made", () => {
  const mounts: string[] = [];
  const libc = fakeLibc({ "/proc": 0x9fa0 }, (_, target) => mounts.push(target));
  try {
    assert.equal(ensureBpfFolder(libc, "/proc/no/such/place"), OWN_BPF_MOUNT);
    assert.deepEqual(mounts, [OWN_BPF_MOUNT]);
  } catch (error) {
    // Only root can make that place.
    assert.ok(error instanceof AgentError && Deno.uid() !== 0);
  } finally {
    removeEmpty(OWN_BPF_MOUNT);
    removeEmpty(OWN_BPF_MOUNT.slice(0, OWN_BPF_MOUNT.lastIndexOf("/")));
  }
});

Deno.test("releaseBpfFolder() leaves a folder that is no mount point, and one with pins of others", () =>
  inFolder((folder) => {
    releaseBpfFolder(realLibc, folder);
    assert.ok(Deno.statSync(folder).isDirectory);
    Deno.mkdirSync(`${folder}/4711`);
    releaseBpfFolder(realLibc, folder);
    assert.ok(Deno.statSync(`${folder}/4711`).isDirectory);
  }));
