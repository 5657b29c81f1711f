import assert from "node:assert/strict";
import { kernelTest, type Machine, type Probe, type Told } from "./machine.ts";

const IMDS = { address: "169.254.169.254", port: 80 };
const NUMBERED = /^127\.(12[89]|1[3-9]\d|2\d\d)\./;

interface Counters {
  readonly counters: Readonly<Record<string, number>>;
}

async function counter(probe: Probe, name: string): Promise<number> {
  return (await probe.order<Counters>({ do: "inspect" })).counters[name] ?? -1;
}

/** The connection went to the listener, and its record is that of this socket and process. */
function assertRedirected({ me, seen }: Told): void {
  assert.equal(seen.by, "agent");
  assert.equal(seen.kind, "redirected");
  assert.equal(seen.record?.cookie, me.cookie);
  assert.equal(seen.record.process.tgid, me.pid);
  assert.equal(seen.record.netns, me.netns);
  assert.deepEqual(seen.record.source, seen.peer);
}

/** Nobody is recorded, so nobody was redirected. */
async function assertUntouched(machine: Machine, probe: Probe, code: string): Promise<void> {
  const { seen } = await machine.python<Told>(code);
  assert.equal(seen.by, "host");
  assert.equal(await counter(probe, "redirected"), 0);
}

kernelTest("connect4 sends an unmodified curl to the listener", async (machine) => {
  const probe = await machine.probe();
  const { code, stdout } = await machine.sandbox.run(["curl", "-s", "http://169.254.169.254/"]);
  assert.equal(code, 0);
  const seen = JSON.parse(stdout);
  assert.equal(seen.kind, "redirected");
  assert.deepEqual(seen.record.destination, IMDS);
  assert.equal(await counter(probe, "redirected"), 1);
  await probe.stop();
});

for (
  const [name, address, port] of [
    ["IMDS", "IMDS", 80],
    ["WireServer", "WIRESERVER", 80],
    ["HostGA", "HOSTGA", 32526],
  ] as const
) {
  kernelTest(
    `connect4 records ${name} as the destination, and getpeername shows it`,
    async (machine) => {
      const probe = await machine.probe();
      const told = await machine.python<Told>(`tell(connected(${address}))`);
      assertRedirected(told);
      assert.deepEqual(told.seen.record?.destination, told.me.dialled);
      assert.equal(told.me.dialled?.port, port);
      await probe.stop();
    },
  );
}

kernelTest(
  "connect4 gives each socket a source address of its own, which getsockname shows",
  async (machine) => {
    const probe = await machine.probe();
    const told = await machine.python<Told[]>(`
sockets = [connected() for _ in range(20)]
say([{"me": facts(s), "seen": ask(s)} for s in sockets])
`);
    told.forEach(assertRedirected);
    for (const { me, seen } of told) {
      assert.match(me.local.address, NUMBERED);
      assert.deepEqual(me.local, seen.peer);
    }
    assert.equal(new Set(told.map(({ me }) => me.local.address)).size, 20);
    await probe.stop();
  },
);

kernelTest(
  "connect6 sends an IPv4-mapped client to the listener, and shows it a mapped peer",
  async (machine) => {
    const probe = await machine.probe();
    const told = await machine.python<Told>(`
s = tcp(AF_INET6)
s.connect(("::ffff:169.254.169.254", 80))
tell(s)
`);
    assertRedirected(told);
    assert.deepEqual(told.seen.record?.destination, IMDS);
    assert.deepEqual(told.me.dialled, { address: "::ffff:169.254.169.254", port: 80 });
    assert.equal(told.me.local.address, `::ffff:${told.seen.peer.address}`);
    await probe.stop();
  },
);

kernelTest(
  "connect6 catches a dual-stack socket that bound the wildcard address, as Java does",
  async (machine) => {
    const probe = await machine.probe();
    const told = await machine.python<Told>(`
s = tcp(AF_INET6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(("::", 0))
s.connect(("::ffff:168.63.129.16", 80))
tell(s)
`);
    assertRedirected(told);
    assert.equal(told.seen.record?.destination.address, "168.63.129.16");
    await probe.stop();
  },
);

for (
  const [name, code] of [
    ["MSG_FASTOPEN", "s.settimeout(None); s.sendto(request(), socket.MSG_FASTOPEN, IMDS)"],
    [
      "TCP_FASTOPEN_CONNECT",
      "s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1); s.connect(IMDS); s.sendall(request())",
    ],
  ] as const
) {
  kernelTest(`connect4 catches TCP fast open by ${name}`, async (machine) => {
    await machine.sandbox.run(["sysctl", "-qw", "net.ipv4.tcp_fastopen=3"]);
    const probe = await machine.probe();
    const told = await machine.python<Told[]>(`
told = []
for _ in range(3):
    s = tcp()
    ${code}
    told.append({"seen": answer(s), "me": facts(s)})
    s.close()
say(told)
`);
    assert.equal(told.length, 3);
    told.forEach(assertRedirected);
    await probe.stop();
  });
}

kernelTest("connect4 catches a non-blocking connect", async (machine) => {
  const probe = await machine.probe();
  const told = await machine.python<Told>(`
import select
s = tcp()
s.setblocking(False)
assert s.connect_ex(IMDS) == errno.EINPROGRESS
select.select([], [s], [], 10)
assert s.getsockopt(SOL_SOCKET, socket.SO_ERROR) == 0
s.setblocking(True)
tell(s)
`);
  assertRedirected(told);
  await probe.stop();
});

kernelTest("connect4 catches an MPTCP socket, by its first subflow", async (machine) => {
  const probe = await machine.probe();
  const { me, seen } = await machine.python<Told>(
    "s = tcp(protocol=IPPROTO_MPTCP)\ns.connect(IMDS)\ntell(s)",
  );
  assert.equal(seen.by, "agent");
  assert.equal(seen.kind, "redirected");
  assert.equal(seen.record?.process.tgid, me.pid);
  assert.deepEqual(seen.record.destination, IMDS);
  await probe.stop();
});

kernelTest("connect4 records the process, not the thread that connects", async (machine) => {
  const probe = await machine.probe();
  const told = await machine.python<Told & { thread: number }>(`
def run():
    s = connected()
    say({"me": facts(s), "seen": ask(s), "thread": threading.get_native_id()})
thread = threading.Thread(target=run)
thread.start()
thread.join()
`);
  assertRedirected(told);
  assert.notEqual(told.thread, told.me.pid);
  await probe.stop();
});

kernelTest(
  "connect4 keeps the source address and port that a client bound itself",
  async (machine) => {
    const probe = await machine.probe();
    const told = await machine.python<Told>(`
s = tcp()
s.bind(("192.0.2.2", 45678))
s.connect(IMDS)
tell(s)
`);
    assertRedirected(told);
    assert.deepEqual(told.seen.peer, { address: "192.0.2.2", port: 45678 });
    assert.equal(await counter(probe, "own_source"), 1);
    await probe.stop();
  },
);

kernelTest(
  "connect4 keeps the source address that a client bound, with a port of the kernel's choice",
  async (machine) => {
    const probe = await machine.probe();
    const told = await machine.python<Told>(`
s = tcp()
s.bind(("192.0.2.2", 0))
s.connect(IMDS)
tell(s)
`);
    assertRedirected(told);
    assert.equal(told.seen.peer.address, "192.0.2.2");
    await probe.stop();
  },
);

kernelTest(
  "connect4 replaces an address that was bound without a port, since no port holds it yet",
  async (machine) => {
    const probe = await machine.probe();
    const told = await machine.python<Told>(`
s = tcp()
s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
s.bind(("192.0.2.2", 0))
s.connect(IMDS)
tell(s)
`);
    assertRedirected(told);
    assert.match(told.seen.peer.address, NUMBERED);
    await probe.stop();
  },
);

kernelTest("connect4 leaves native IPv6 alone", async (machine) => {
  const probe = await machine.probe();
  const fails = await machine.python<string>(`
say(attempt(lambda: tcp(AF_INET6).connect(("::1", 80))))
`);
  assert.equal(fails, "ECONNREFUSED"); // nobody listens there in this namespace, and nobody was asked to
  const counters = (await probe.order<Counters>({ do: "inspect" })).counters;
  assert.ok(Object.values(counters).every((count) => count === 0), JSON.stringify(counters));
  await probe.stop();
});

kernelTest("connect4 leaves a UDP socket alone that names a metadata address", async (machine) => {
  const probe = await machine.probe();
  const dialled = await machine.python<[string, number]>(`
s = socket.socket(AF_INET, SOCK_DGRAM)
s.connect(IMDS)
say(s.getpeername() + s.getsockname())
`);
  assert.deepEqual(dialled.slice(0, 3), ["169.254.169.254", 80, "192.0.2.2"]);
  assert.equal(await counter(probe, "redirected"), 0);
  await probe.stop();
});

kernelTest("connect4 leaves other ports of the metadata addresses alone", async (machine) => {
  const probe = await machine.probe();
  await assertUntouched(machine, probe, `tell(connected(("169.254.169.254", 8080)))`);
  await assertUntouched(machine, probe, `tell(connected(("169.254.169.254", 32526)))`);
  await probe.stop();
});

kernelTest("connect4 leaves other addresses alone", async (machine) => {
  const probe = await machine.probe();
  await assertUntouched(machine, probe, `tell(connected(("192.0.2.1", 80)))`);
  await probe.stop();
});

kernelTest(
  "connect4 leaves endpoints alone that are not set as targets, from one moment to the next",
  async (machine) => {
    const probe = await machine.probe({ targets: { wireserver: "enforce" } });
    const dial = async (address: string) =>
      (await machine.python<Told>(`tell(connected(${address}))`)).seen.by;
    assert.deepEqual([await dial("IMDS"), await dial("WIRESERVER")], ["host", "agent"]);
    await probe.order({ do: "targets", modes: { imds: "enforce" } });
    assert.deepEqual([await dial("IMDS"), await dial("WIRESERVER")], ["agent", "host"]);
    await probe.stop();
  },
);

kernelTest("connect4 lets the agent itself reach the host", async (machine) => {
  const probe = await machine.probe();
  const seen = await probe.order<{ by: string }>({ do: "dial", url: "http://168.63.129.16/" });
  assert.equal(seen.by, "host");
  assert.equal(await counter(probe, "agent"), 1);
  await probe.stop();
});

kernelTest(
  "connect4 catches a socket that was connected elsewhere and disconnected before",
  async (machine) => {
    const probe = await machine.probe();
    const told = await machine.python<Told>(`
import ctypes
s = connected(("192.0.2.1", 80))
unspecified = (ctypes.c_char * 16)()
assert ctypes.CDLL(None).connect(s.fileno(), unspecified, 16) == 0
s.connect(IMDS)
tell(s)
`);
    assertRedirected(told);
    await probe.stop();
  },
);

kernelTest(
  "a redirected socket that disconnects and dials elsewhere leaves its record behind",
  async (machine) => {
    const probe = await machine.probe();
    const caller = machine.caller(`
import ctypes
echo = socket.create_server(("0.0.0.0", 9999))
s = connected()
ask(s)
unspecified = (ctypes.c_char * 16)()
assert ctypes.CDLL(None).connect(s.fileno(), unspecified, 16) == 0
s.connect(("127.0.0.1", 9999))
say({"peer": s.getpeername(), "local": s.getsockname()})
wait()
`);
    const told = await caller.says<{ peer: unknown; local: [string, number] }>();
    assert.deepEqual(told.peer, ["127.0.0.1", 9999]);
    const [address, port] = told.local;
    const attribution = await probe.order<{ kind: string }>({ do: "attribute", address, port });
    assert.equal(attribution.kind, "unattributed");
    await caller.ended();
    await probe.stop();
  },
);

kernelTest("a connect() that fails leaves nothing for the socket's next one", async (machine) => {
  const probe = await machine.probe();
  const told = await machine.python<{ failed: string; peer: unknown }>(`
os.system("ip rule add pref 10 lookup local; ip rule add pref 5 fwmark 7 unreachable; ip rule del pref 0")
echo = socket.create_server(("0.0.0.0", 9999))
s = tcp()
s.setsockopt(SOL_SOCKET, socket.SO_MARK, 7)
failed = attempt(lambda: s.connect(IMDS))
s.setsockopt(SOL_SOCKET, socket.SO_MARK, 0)
s.connect(("127.0.0.1", 9999))
say({"failed": failed, "peer": s.getpeername()})
`);
  assert.equal(told.failed, "ENETUNREACH");
  assert.deepEqual(told.peer, ["127.0.0.1", 9999]);
  await probe.stop();
});

kernelTest(
  "connect4 frees a client from its device, which does not lead to the listener",
  async (machine) => {
    const probe = await machine.probe();
    assertRedirected(
      await machine.python<Told>(`
s = tcp()
s.setsockopt(SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
s.connect(IMDS)
tell(s)
`),
    );
    const curl = ["curl", "-s", "--interface", "eth0", "http://169.254.169.254/"];
    const { stdout } = await machine.sandbox.run(curl);
    assert.equal(JSON.parse(stdout).kind, "redirected");
    await probe.stop();
  },
);
