import assert from "node:assert/strict";
import { REDIRECTOR_ABI } from "../../src/platform/linux/record_layout.ts";
import { bpftool } from "./kernel_objects.ts";
import {
  eventually,
  kernelTest,
  type Machine,
  type Probe,
  type Talker,
  type Told,
} from "./machine.ts";

interface Report {
  readonly records: { readonly live: number };
  readonly counters: Readonly<Record<string, number>>;
}

const inspect = (probe: Probe) => probe.order<Report>({ do: "inspect" });

async function kindOf(probe: Probe, { me }: Told): Promise<string> {
  return (await probe.order<{ kind: string }>({ do: "attribute", ...me.local })).kind;
}

/** Nothing lives any more: no record, and no count of any user, which is what `live` sums up. */
async function assertNothingLives(probe: Probe, told: Told): Promise<void> {
  await eventually(
    "the record is erased",
    async () =>
      await kindOf(probe, told) === "unattributed" && (await inspect(probe)).records.live === 0,
  );
  const { counters } = await inspect(probe);
  assert.equal(counters["erased"], (counters["redirected"] ?? 0) + (counters["direct"] ?? 0));
}

async function opened(machine: Machine, probe: Probe, ending: string): Promise<[Talker, Told]> {
  const caller = machine.caller(`s = connected()\ntell(s)\nwait()\n${ending}`);
  const told = await caller.says<Told>();
  assert.equal(await kindOf(probe, told), "redirected");
  assert.equal((await inspect(probe)).records.live, 1);
  return [caller, told];
}

for (
  const [name, ending] of [
    ["closes", "s.close()\nwait()"],
    ["resets", "reset(s)\nwait()"],
    ["ends", "sys.exit(0)"],
  ] as const
) {
  kernelTest(`a record goes when its socket ${name}`, async (machine) => {
    const probe = await machine.probe();
    const [caller, told] = await opened(machine, probe, ending);
    await caller.hears();
    await assertNothingLives(probe, told);
    await caller.ended();
    await probe.stop();
  });
}

kernelTest("a record goes when its process is killed", async (machine) => {
  const probe = await machine.probe();
  const [caller, told] = await opened(machine, probe, "");
  Deno.kill(told.me.pid, "SIGKILL");
  await assertNothingLives(probe, told);
  await caller.ended();
  await probe.stop();
});

kernelTest("a record stays while the socket is half closed", async (machine) => {
  const probe = await machine.probe();
  const [caller, told] = await opened(
    machine,
    probe,
    "say(s.shutdown(socket.SHUT_WR))\nwait()\ns.close()\nwait()",
  );
  // While it stands still, the listener cannot close its side.
  probe.kill("SIGSTOP");
  await caller.hears();
  await caller.says();
  const { ino } = await Deno.stat(machine.sandbox.cgroup);
  const pins = `${machine.sandbox.folder}/bpf/${ino}`;
  const dump = () =>
    bpftool<unknown[]>("map", "dump", "pinned", `${pins}/abi${REDIRECTOR_ABI}_records`);
  assert.equal((await dump()).length, 1);
  probe.kill("SIGCONT");
  await caller.hears();
  await assertNothingLives(probe, told);
  assert.equal((await dump()).length, 0);
  await caller.ended();
  await probe.stop();
});

kernelTest("a record goes when the listener's side closes first", async (machine) => {
  const probe = await machine.probe();
  const caller = machine.caller(`
s = connected()
told = facts(s)
s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
seen = answer(s)
assert s.recv(1) == b""
say({"me": told, "seen": seen})
wait()
s.close()
wait()
`);
  const told = await caller.says<Told>();
  assert.equal(await kindOf(probe, told), "redirected");
  await caller.hears();
  await assertNothingLives(probe, told);
  await caller.ended();
  await probe.stop();
});

kernelTest(
  "a connect() that is refused leaves nothing, and its socket may try again",
  async (machine) => {
    const dead = await machine.probe();
    dead.kill();
    await dead.ended();
    const caller = machine.caller(`
s = tcp()
s.settimeout(None)
say([attempt(lambda: s.connect(IMDS)), attempt(lambda: connected(LISTENER))])
wait()
s.connect(IMDS)
tell(s)
`);
    assert.deepEqual(await caller.says(), ["ECONNREFUSED", "ECONNREFUSED"]);
    const probe = await machine.probe();
    const { records, counters } = await inspect(probe);
    assert.deepEqual([records.live, counters["redirected"], counters["direct"]], [0, 1, 1]);
    assert.equal(counters["erased"], 2);
    await caller.hears();
    const { me, seen } = await caller.says<Told>();
    assert.equal(seen.record?.cookie, me.cookie);
    await caller.ended();
    await probe.stop();
  },
);

kernelTest(
  "records of many users and threads come and go without a count left",
  async (machine) => {
    const probe = await machine.probe();
    await machine.python(`
def run():
    for round in range(25):
        s = connected() if round % 3 else connected(LISTENER)
        if round % 2:
            ask(s)
        reset(s) if round % 5 == 0 else s.close()
for uid in range(20001, 20009):
    if os.fork() == 0:
        become(uid, uid)
        threads = [threading.Thread(target=run) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        os._exit(0)
for _ in range(8):
    assert os.wait()[1] == 0
`);
    await eventually("nothing lives", async () => (await inspect(probe)).records.live === 0);
    const { counters } = await inspect(probe);
    assert.equal((counters["redirected"] ?? 0) + (counters["direct"] ?? 0), 8 * 8 * 25);
    assert.equal(counters["erased"], 8 * 8 * 25);
    await probe.stop();
  },
);
