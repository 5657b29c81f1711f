import assert from "node:assert/strict";
import { kernelTest, type Machine, type Probe, type Told } from "./machine.ts";

/** Longer than CONTEST_NS of bpf/redirector.bpf.c. */
const AFTER_THE_WINDOW_MS = 10_500;

/** Asks WireServer from a source that the caller binds itself, and resets the connection. */
const ASK_AND_RESET = `
def from_own_source():
    s = tcp()
    s.bind(("192.0.2.2", 45000))
    s.connect(WIRESERVER)
    told = {"me": facts(s), "seen": ask(s)}
    reset(s)
    return told
`;

function once(machine: Machine, uid: number): Promise<Told> {
  return machine.python<Told>(`${ASK_AND_RESET}say(from_own_source())`, {
    user: { uid, gid: uid },
  });
}

async function contested(probe: Probe): Promise<number> {
  const { counters } = await probe.order<{ counters: Record<string, number> }>({ do: "inspect" });
  return counters["contested"] ?? -1;
}

kernelTest(
  "a source that another process bound a moment ago is nobody's, and anybody's later",
  async (machine) => {
    const probe = await machine.probe();
    const first = await once(machine, 0);
    assert.equal(first.seen.kind, "redirected");
    assert.equal(await contested(probe), 0);

    const second = await once(machine, 65534);
    assert.deepEqual(second.me.local, first.me.local);
    assert.equal(second.seen.kind, "unattributed");
    assert.equal(await contested(probe), 1);

    await new Promise((resolve) => setTimeout(resolve, AFTER_THE_WINDOW_MS));
    const third = await once(machine, 65534);
    assert.deepEqual(third.me.local, first.me.local);
    assert.equal(third.seen.record?.process.tgid, third.me.pid);
    assert.equal(await contested(probe), 1);
    await probe.stop();
  },
);

kernelTest(
  "a contested caller stays nobody however often it insists, and so does the one before",
  async (machine) => {
    const probe = await machine.probe();
    await once(machine, 0);
    const insisting = await machine.python<Told[]>(
      `${ASK_AND_RESET}say([from_own_source() for _ in range(3)])`,
      { user: { uid: 65534, gid: 65534 } },
    );
    assert.deepEqual(insisting.map(({ seen }) => seen.kind), Array(3).fill("unattributed"));
    assert.equal((await once(machine, 0)).seen.kind, "unattributed");
    assert.equal(await contested(probe), 4);
    await probe.stop();
  },
);

kernelTest(
  "a numbered source that somebody bound in advance is nobody's when its socket comes",
  async (machine) => {
    const probe = await machine.probe();
    await machine.sandbox.run(["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40000"]);
    const numbered = `
os.sched_setaffinity(0, {0})
def numbered(cookie):
    low = cookie & 0x7fffff
    return f"127.{128 + (low >> 16)}.{low >> 8 & 255}.{low & 255}"
`;
    // Cookies are given in sequence on one processor; somebody else may need one at the wrong moment.
    for (let attempt = 0; attempt < 20; attempt++) {
      const attack = await machine.python<{ wanted: number; kind: string }>(
        `${numbered}
wanted = int(option64(tcp(), SO_COOKIE)) + 100
s = tcp()
s.bind((numbered(wanted), 40000))
s.connect(LISTENER)
kind = ask(s)["kind"]
reset(s)
say({"wanted": wanted, "kind": kind})
`,
        { user: { uid: 65534, gid: 65534 } },
      );
      assert.equal(attack.kind, "direct");
      const victim = await machine.python<Told | null>(`${numbered}
sockets = [tcp()]
while int(option64(sockets[-1], SO_COOKIE)) < ${attack.wanted}:
    sockets.append(tcp())
if int(option64(sockets[-1], SO_COOKIE)) == ${attack.wanted}:
    sockets[-1].connect(WIRESERVER)
    tell(sockets[-1])
else:
    say(None)
`);
      if (victim === null) continue;
      assert.equal(victim.me.local.port, 40000);
      assert.equal(victim.seen.kind, "unattributed");
      assert.equal(await contested(probe), 1);
      await probe.stop();
      return;
    }
    throw new Error("the wanted cookie was always given to somebody else");
  },
);

kernelTest("the same process may bind its source again at once", async (machine) => {
  const probe = await machine.probe();
  const told = await machine.python<Told[]>(
    `${ASK_AND_RESET}say([from_own_source() for _ in range(5)])`,
    { user: { uid: 65534, gid: 65534 } },
  );
  for (const { me, seen } of told) assert.equal(seen.record?.cookie, me.cookie);
  assert.equal(await contested(probe), 0);
  await probe.stop();
});
