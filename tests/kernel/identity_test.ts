import assert from "node:assert/strict";
import { userSpaceDevice } from "../../src/platform/linux/process_inspector.ts";
import { startsAtTick } from "../../src/platform/linux/process_start.ts";
import { kernelTest, PYTHON, type Told } from "./machine.ts";
import type { Seen } from "./probe_protocol.ts";

for (const [uid, gid] of [[65534, 0], [0, 100], [20001, 20002]] as const) {
  kernelTest(`a record holds uid ${uid} and gid ${gid} apart`, async (machine) => {
    const probe = await machine.probe();
    const { me, seen } = await machine.python<Told>("tell(connected())", { user: { uid, gid } });
    assert.deepEqual([me.uid, me.gid], [uid, gid]);
    assert.deepEqual([seen.record?.uid, seen.record?.gid], [uid, gid]);
    await probe.stop();
  });
}

kernelTest("a record holds real ids, not effective ones", async (machine) => {
  const probe = await machine.probe();
  const { seen } = await machine.python<Told>(`
os.setgroups([])
os.setresgid(100, 0, 0)
os.setresuid(65534, 0, 0)
tell(connected())
`);
  assert.deepEqual([seen.record?.uid, seen.record?.gid], [65534, 100]);
  await probe.stop();
});

kernelTest("a record holds ids of the initial user namespace", async (machine) => {
  const probe = await machine.probe();
  const { code, stdout, stderr } = await machine.sandbox.run(
    ["unshare", "--user", "--map-root-user", "curl", "-s", "http://169.254.169.254/"],
    { user: { uid: 65534, gid: 65534 } },
  );
  assert.equal(code, 0, stderr);
  const seen: Seen = JSON.parse(stdout);
  assert.deepEqual([seen.record?.uid, seen.record?.gid], [65534, 65534]);
  await probe.stop();
});

kernelTest("a record holds the process, its start and its name", async (machine) => {
  const probe = await machine.probe();
  const { me, seen } = await machine.python<Told>(`
with open("/proc/self/comm", "w") as comm:
    comm.write("a name of its own that is long")
tell(connected())
`);
  const record = seen.record!;
  assert.equal(record.process.tgid, me.pid);
  assert.ok(startsAtTick(BigInt(record.process.startedAtBootNs), me.startTicks));
  assert.equal(record.comm, "a name of its o");
  await probe.stop();
});

kernelTest(
  "a record holds the start of the process, not of the thread that connects",
  async (machine) => {
    const probe = await machine.probe();
    const { me, seen } = await machine.python<Told>(`
time.sleep(0.05)
thread = threading.Thread(target=lambda: tell(connected()))
thread.start()
thread.join()
`);
    assert.ok(startsAtTick(BigInt(seen.record!.process.startedAtBootNs), me.startTicks));
    await probe.stop();
  },
);

kernelTest("a record holds the executable by device and inode", async (machine) => {
  const probe = await machine.probe();
  const { seen } = await machine.python<Told>("tell(connected())");
  const file = await Deno.stat(await Deno.realPath(PYTHON));
  assert.equal(seen.record?.exe.inode, String(file.ino));
  assert.equal(userSpaceDevice(BigInt(seen.record.exe.device)), BigInt(file.dev));
  await probe.stop();
});

kernelTest("a record holds cgroup, network namespace, destination and time", async (machine) => {
  const probe = await machine.probe();
  const told = await machine.python<Told & { before: number; after: number }>(`
before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
s = connected(HOSTGA)
after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
say({"me": facts(s), "seen": ask(s), "before": before, "after": after})
`);
  const record = told.seen.record!;
  assert.equal(record.cgroupId, String((await Deno.stat(machine.sandbox.cgroup)).ino));
  assert.equal(record.netns, told.me.netns);
  assert.deepEqual(record.destination, { address: "168.63.129.16", port: 32526 });
  const connectedAt = Number(record.connectedAtBootNs);
  assert.ok(told.before <= connectedAt && connectedAt <= told.after);
  await probe.stop();
});

kernelTest("a record does not follow its process to another user", async (machine) => {
  const probe = await machine.probe();
  const { seen } = await machine.python<Told>(`
s = connected()
become(65534, 65534)
tell(s)
`);
  assert.deepEqual([seen.record?.uid, seen.record?.gid], [0, 0]);
  await probe.stop();
});

kernelTest(
  "a record stays that of the connecting process when its child uses the socket",
  async (machine) => {
    const probe = await machine.probe();
    const told = await machine.python<{ parent: number; seen: Seen }>(`
s = connected()
s.set_inheritable(True)
parent = os.getpid()
if os.fork() == 0:
    become(65534, 65534)
    code = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); " \\
           "s.sendall(b'GET / HTTP/1.1\\\\r\\\\nHost: x\\\\r\\\\n\\\\r\\\\n')"
    os.execv("${PYTHON}", ["python3", "-c", code, str(s.fileno())])
os.wait()
say({"parent": parent, "seen": answer(s)})
`);
    assert.equal(told.seen.record?.process.tgid, told.parent);
    assert.equal(told.seen.record.uid, 0);
    await probe.stop();
  },
);
