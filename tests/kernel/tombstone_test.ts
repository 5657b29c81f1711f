import assert from "node:assert/strict";
import { eventually, kernelTest, type Probe, type Told } from "./machine.ts";
import type { Seen } from "./probe_protocol.ts";

const NOBODY = { uid: 65534, gid: 65534 };

/** Waits until the record of a connection is gone. */
async function gone(probe: Probe, { address, port }: Told["me"]["local"]): Promise<void> {
  await eventually("the record is erased", async () => {
    const { kind } = await probe.order<{ kind: string }>({ do: "attribute", address, port });
    return kind === "unattributed";
  });
}

for (const address of ["127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::ffff:0.0.0.0"]) {
  kernelTest(
    `a connection dialled to the listener at ${address} is direct, with its user`,
    async (machine) => {
      const probe = await machine.probe();
      const { me, seen } = await machine.python<Told>(
        `
s = tcp(${address.startsWith(":") ? "AF_INET6" : "AF_INET"})
s.connect(("${address}", 3080))
tell(s)
`,
        { user: NOBODY },
      );
      assert.equal(seen.kind, "direct");
      assert.equal(seen.uid, 65534);
      assert.equal(me.dialled?.port, 3080);
      await probe.stop();
    },
  );
}

kernelTest("a process outside the guarded cgroup is unattributed", async (machine) => {
  const probe = await machine.probe();
  const { seen } = await machine.python<Told>("tell(connected(LISTENER))", { inCgroup: false });
  assert.equal(seen.kind, "unattributed");
  await probe.stop();
});

kernelTest(
  "a direct connection from the address and port of a closed one is direct",
  async (machine) => {
    const probe = await machine.probe();
    const victim = await machine.python<Told>(`
s = connected()
told = {"me": facts(s), "seen": ask(s)}
reset(s)
say(told)
`);
    assert.equal(victim.seen.kind, "redirected");
    await gone(probe, victim.me.local);
    const { address, port } = victim.me.local;
    const { me, seen } = await machine.python<Told>(
      `
s = tcp()
s.bind(("${address}", ${port}))
s.connect(LISTENER)
tell(s)
`,
      { user: NOBODY },
    );
    assert.deepEqual(me.local, victim.me.local);
    assert.deepEqual([seen.kind, seen.uid], ["direct", 65534]);
    await probe.stop();
  },
);

kernelTest(
  "a redirected connection from the numbered source of a closed one is nobody's",
  async (machine) => {
    const probe = await machine.probe();
    const victim = await machine.python<Told>(`
s = connected(WIRESERVER)
told = {"me": facts(s), "seen": ask(s)}
reset(s)
say(told)
`);
    await gone(probe, victim.me.local);
    const { address, port } = victim.me.local;
    const { me, seen } = await machine.python<Told>(
      `
s = tcp()
s.bind(("${address}", ${port}))
s.connect(WIRESERVER)
tell(s)
`,
      { user: NOBODY },
    );
    assert.deepEqual(me.local, victim.me.local);
    assert.equal(seen.kind, "unattributed");
    await probe.stop();
  },
);

kernelTest(
  "the address and port of a living connection cannot be bound, nor can its record be taken",
  async (machine) => {
    const probe = await machine.probe();
    const victim = machine.caller(`
s = connected(WIRESERVER)
tell(s)
wait()
say(ask(s))
`);
    const before = await victim.says<Told>();
    const { address, port } = before.me.local;
    const outcomes = await machine.python<string[]>(
      `
outcomes = []
for reuse in [(), (socket.SO_REUSEADDR,), (socket.SO_REUSEADDR, socket.SO_REUSEPORT)]:
    for target in [LISTENER, WIRESERVER]:
        s = tcp()
        for option in reuse:
            s.setsockopt(SOL_SOCKET, option, 1)
        failed = attempt(lambda: (s.bind(("${address}", ${port})), s.connect(target)))
        outcomes.append(failed or ask(s)["kind"])
        s.close()
say(outcomes)
`,
      { user: NOBODY },
    );
    assert.equal(outcomes.length, 6);
    assert.ok(outcomes.every((outcome) => outcome.startsWith("EADDR")), String(outcomes));
    await victim.hears();
    const after = await victim.says<Seen>();
    assert.equal(after.kind, "redirected");
    assert.equal(after.record?.cookie, before.me.cookie);
    assert.equal(await victim.ended(), 0);
    await probe.stop();
  },
);

kernelTest(
  "a port of a living connection, bound at other addresses, leads to nobody",
  async (machine) => {
    const probe = await machine.probe();
    const victim = machine.caller("s = connected(WIRESERVER)\ntell(s)\nwait()");
    const { me } = await victim.says<Told>();
    const kinds = await machine.python<Seen[]>(
      `
seen = []
for address in ["127.0.0.1", "127.0.0.2", "127.128.0.1", "192.0.2.2"]:
    s = tcp()
    s.bind((address, ${me.local.port}))
    s.connect(LISTENER)
    seen.append(ask(s))
say(seen)
`,
      { user: NOBODY },
    );
    assert.deepEqual(kinds.map(({ kind, uid }) => [kind, uid]), Array(4).fill(["direct", 65534]));
    await victim.ended();
    await probe.stop();
  },
);

kernelTest(
  "a socket that was redirected and then dials the listener itself is direct",
  async (machine) => {
    const probe = await machine.probe();
    const { seen } = await machine.python<Told>(`
import ctypes
s = connected(WIRESERVER)
ask(s)
unspecified = (ctypes.c_char * 16)()
assert ctypes.CDLL(None).connect(s.fileno(), unspecified, 16) == 0
become(65534, 65534)
s.connect(LISTENER)
tell(s)
`);
    assert.deepEqual([seen.kind, seen.uid], ["direct", 65534]);
    await probe.stop();
  },
);
