import assert from "node:assert/strict";
import type { Fd } from "../../../../ffi/handle.ts";
import { ATTACH_TYPE, type Libbpf } from "../../../../ffi/libbpf.ts";
import type { Libc } from "../../../../ffi/libc.ts";
import { StructBuffer } from "../../../../ffi/struct.ts";
import {
  LinuxKernelView,
  openLinuxDiagnostics,
} from "../../../../src/platform/linux/kernel_view.ts";
import { processStartTicks } from "../../../../src/platform/linux/process_start.ts";
import {
  putAddress,
  SETTINGS,
  TARGET_ACTION,
  TARGET_KEY,
} from "../../../../src/platform/linux/record_layout.ts";

const CGROUP2_MAGIC = 0x63677270;
const BPF_FS_MAGIC = 0xcafe4a11;
const FD = { [Symbol.dispose]() {} } as unknown as Fd;

type Entries = readonly (readonly [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>])[];

function u32(value: number): Uint8Array<ArrayBuffer> {
  const buffer = new StructBuffer(4);
  buffer.setU32(0, value);
  return buffer.bytes;
}

function u64(value: bigint): Uint8Array<ArrayBuffer> {
  const buffer = new StructBuffer(8);
  buffer.setU64(0, value);
  return buffer.bytes;
}

function target(address: string, port: number): Uint8Array<ArrayBuffer> {
  const key = new StructBuffer(TARGET_KEY.bytes);
  putAddress(key.bytes, TARGET_KEY.addr, address);
  key.setNetU16(TARGET_KEY.port, port);
  return key.bytes;
}

function settings(pid: number, ticks: number): Uint8Array<ArrayBuffer> {
  const value = new StructBuffer(SETTINGS.bytes);
  value.setU64(SETTINGS.netns, 17n);
  value.setU64(SETTINGS.agent_start_ticks, BigInt(ticks));
  value.setU32(SETTINGS.agent_tgid, pid);
  putAddress(value.bytes, SETTINGS.listener_addr, "127.0.0.1");
  value.setNetU16(SETTINGS.listener_port, 3080);
  value.setU32(SETTINGS.user_limit, 10);
  value.setU32(SETTINGS.root_limit, 20);
  return value.bytes;
}

/** A view of a kernel whose pinned maps hold these entries; a map that is not named is not pinned. */
function viewOf(
  maps: Readonly<Record<string, Entries>>,
  links: Readonly<Record<string, { cgroupId: bigint; attachType: number }>> = {},
  fileSystem = BPF_FS_MAGIC,
  cgroupRoot = "/",
) {
  const opened: string[] = [];
  let closed = 0;
  const names = new Map<unknown, string>();
  const libc = {
    fileSystemType: (path: string) =>
      path === "/" || path.includes("/cgroups") ? CGROUP2_MAGIC : fileSystem,
    openFolderForReading(path: string) {
      if (path.endsWith("/vanished")) throw new Error("ENOENT");
      return FD;
    },
    bootNs: () => 5_000_000_000n,
    netnsCookie: () => 17n,
    dialOnce: (_: number[], port: number) => ({
      errno: port === 1 ? 111 : 0,
      localAddress: "127.200.0.1",
      peerAddress: null,
    }),
    fileSystemSpace: () => ({ freeBytes: 1 }),
    clockDiscipline: () => ({ isSynchronised: true, maxErrorMs: 1 }),
    deviceClockMs: () => Date.now() + 60_000,
  } as unknown as Libc;
  const libbpf = {
    open(path: string) {
      opened.push(path);
      const name = /(?:abi\d+_|link_)(\w+)$/.exec(path)?.[1] ?? "";
      if (maps[name] === undefined && links[name] === undefined) return null;
      const fd = { [Symbol.dispose]() {} };
      names.set(fd, name);
      return fd as unknown as Fd;
    },
    linkInfo(fd: Fd) {
      return { id: 1, programId: 7, ...links[names.get(fd) ?? ""] };
    },
    map(_: Fd, name: string) {
      const entries = maps[name] ?? [];
      return {
        *keys() {
          for (const [key] of entries) yield key;
        },
        lookUp(key: Uint8Array, value: Uint8Array) {
          const found = entries.find(([each]) => each.join() === key.join());
          if (found !== undefined) value.set(found[1]);
          return found !== undefined;
        },
        [Symbol.dispose]: () => void closed++,
      };
    },
    programsAt: (_: Fd, attachType: number, which: "running" | "attached") =>
      which === "running" ? [7, 8] : attachType === ATTACH_TYPE.CGROUP_INET4_CONNECT ? [7] : [],
    programInfo: (id: number) => id === 7 ? { id, name: "ours", uid: 0 } : null,
    possibleCpus: () => 2,
  } as unknown as Libbpf;
  const view = new LinuxKernelView(libc, libbpf, { cgroupRoot, bpfFolder: "/tmp" });
  return { view, opened, closed: () => closed };
}

const CGROUP_ID = BigInt(Deno.statSync("/").ino ?? 0);

Deno.test("redirection() reads pins, links, settings, targets, users and counters, and closes the maps", () => {
  const perCpu = new Uint8Array(16);
  perCpu.set(u64(3n));
  perCpu.set(u64(4n), 8);
  const { view, closed } = viewOf({
    settings: [[u32(0), settings(Deno.pid, processStartTicks(Deno.pid)!)]],
    heartbeat: [[u32(0), u64(4_000_000_000n)]],
    targets: [
      [target("168.63.129.16", 80), u32(TARGET_ACTION.enforce)],
      [target("169.254.169.254", 80), u32(TARGET_ACTION.audit)],
      [target("127.0.0.1", 3080), u32(TARGET_ACTION.listener)],
    ],
    user_connections: [[u32(1000), u64(2n)]],
    counters: [[u32(0), perCpu]],
  }, {
    redirect_connect4: { cgroupId: CGROUP_ID, attachType: ATTACH_TYPE.CGROUP_INET4_CONNECT },
    redirect_connect6: { cgroupId: 0n, attachType: ATTACH_TYPE.CGROUP_INET6_CONNECT },
    guard_bind4: { cgroupId: CGROUP_ID, attachType: ATTACH_TYPE.CGROUP_INET6_BIND },
  });
  const facts = view.redirection();
  assert.equal(facts.pinFolder, `/tmp/${CGROUP_ID}`);
  const states = Object.fromEntries(facts.links.map(({ program, state }) => [program, state]));
  assert.equal(states["redirect_connect4"], "attached");
  assert.equal(states["redirect_connect6"], "detached");
  assert.equal(states["guard_bind4"], "elsewhere");
  assert.equal(states["follow_socket"], "not-pinned");
  assert.deepEqual(facts.agent, {
    pid: Deno.pid,
    isAlive: true,
    netns: 17n,
    listener: { address: "127.0.0.1", port: 3080 },
    userLimit: 10,
    rootLimit: 20,
  });
  assert.equal(facts.heartbeatAgeMs, 1000);
  assert.deepEqual(facts.targets, [
    { address: "168.63.129.16", port: 80, action: "enforce" },
    { address: "169.254.169.254", port: 80, action: "audit" },
    { address: "127.0.0.1", port: 3080, action: "listener" },
  ]);
  assert.deepEqual(facts.liveByUser, [{ uid: 1000, live: 2 }]);
  assert.equal(facts.counters["redirected"], 7);
  assert.equal(facts.counters["direct"], 0);
  assert.deepEqual(facts.missingMaps, [
    "callers",
    "records",
    "departed_sources",
    "foreign_namespaces",
  ]);
  assert.deepEqual(facts.attachPoints.find(({ name }) => name === "connect4")?.programs, [
    { id: 7, name: "ours", uid: 0 },
    { id: 8, name: "", uid: 0 },
  ]);
  assert.equal(facts.ownNetns, 17n);
  assert.equal(closed(), 5);
});

Deno.test("redirection() tells a process of the same number from the agent", () => {
  const { view } = viewOf({ settings: [[u32(0), settings(Deno.pid, 1)]] });
  assert.equal(view.redirection().agent?.isAlive, false);
  const none = viewOf({ settings: [[u32(0), settings(0, 1)]], heartbeat: [[u32(0), u64(0n)]] });
  assert.equal(none.view.redirection().agent, null);
  assert.equal(none.view.redirection().heartbeatAgeMs, null);
});

Deno.test("redirection() without a BPF file system opens no pin and mounts none", () => {
  const { view, opened } = viewOf({}, {}, 0);
  const facts = view.redirection();
  assert.equal(facts.pinFolder, null);
  assert.equal(facts.agent, null);
  assert.deepEqual(facts.targets, []);
  assert.deepEqual(facts.counters, {});
  assert.deepEqual(opened, []);
});

Deno.test("placedPrograms() looks at the cgroup, at those above while they are cgroups, and at all below", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const own = `${folder}/cgroups/a/own`;
    for (const name of ["pod/container", "vanished"]) {
      await Deno.mkdir(`${own}/${name}`, { recursive: true });
    }
    await Deno.writeTextFile(`${own}/cgroup.procs`, "");
    const { view } = viewOf({}, {}, 0, own);
    const { programs, below, isWhole } = view.placedPrograms();
    assert.deepEqual([below, isWhole], [3, true]);
    assert.deepEqual(programs[0], { id: 7, name: "ours", uid: 0, point: "connect4", place: own });
    assert.deepEqual(programs.map(({ place }) => place.slice(folder.length)).sort(), [
      "/cgroups",
      "/cgroups/a",
      "/cgroups/a/own",
      "/cgroups/a/own/pod",
      "/cgroups/a/own/pod/container",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("dial() names the error, deviceClockAheadMs() compares with the wall clock, the rest is passed on", () => {
  const { view } = viewOf({});
  assert.deepEqual(view.dial({ address: "127.0.0.1", port: 1 }, false), {
    error: "ECONNREFUSED",
    localAddress: "127.200.0.1",
  });
  assert.equal(view.dial({ address: "127.0.0.1", port: 2 }, true).error, null);
  assert.ok(Math.abs(view.deviceClockAheadMs("/dev/ptp0") - 60_000) < 5_000);
  assert.equal(view.space("/").freeBytes, 1);
  assert.equal(view.clockDiscipline().isSynchronised, true);
  assert.equal(view.cgroup(), "/");
});

/** The libraries stay loaded. */
const LOADED = { sanitizeResources: false };

Deno.test(
  "openLinuxDiagnostics() knows where rules and kernel programs are looked for",
  LOADED,
  () => {
    const diagnostics = openLinuxDiagnostics({
      cgroupRoot: "/",
      bpfFolder: "/tmp",
      bpfObjects: { fullPath: "/a.o", fileName: "b.o", folders: ["/c"] },
      keyFolder: "/var/keys",
    });
    assert.equal(diagnostics.rulesFolder, "/var/rules");
    assert.equal(diagnostics.bpfObjects.full[0], "/a.o");
    assert.equal(diagnostics.bpfObjects["no-task-reads"][0], "/a_no_task.o");
    assert.ok("redirection" in diagnostics.kernel || "missing" in diagnostics.kernel);
  },
);
