import assert from "node:assert/strict";
import type { MemoryLine } from "../fakes/memory_logger.ts";
import { kernelTest, type Machine, type Probe, type Told } from "./machine.ts";

const NOTICE = "connections from another network namespace are not redirected";

/** A caller of the guarded cgroup in a namespace that is not the agent's: here the host's. */
function fromElsewhere(machine: Machine, code = "tell(connected())"): Promise<Told> {
  return machine.python<Told>(code, { side: "host", inCgroup: true, user: { uid: 20001, gid: 1 } });
}

async function notices(probe: Probe): Promise<MemoryLine[]> {
  await probe.order({ do: "inspect" });
  return (await probe.order<MemoryLine[]>({ do: "log" })).filter(({ text }) => text === NOTICE);
}

kernelTest(
  "a caller in another network namespace goes straight on, and the log says so",
  async (machine) => {
    const probe = await machine.probe();
    const { me, seen } = await fromElsewhere(machine);
    assert.equal(seen.by, "host");
    const [notice, ...more] = await notices(probe);
    assert.deepEqual(more, []);
    assert.equal(notice?.level, "warn");
    assert.deepEqual(notice.fields, {
      netns: me.netns,
      connections: "1",
      pid: me.pid,
      uid: 20001,
      comm: "python3",
    });
    const { counters } = await probe.order<{ counters: Record<string, number> }>({ do: "inspect" });
    assert.deepEqual([counters["foreign_netns"], counters["redirected"]], [1, 0]);
    await probe.stop();
  },
);

kernelTest(
  "the log says it once a minute and namespace, however many connections there are",
  async (machine) => {
    const probe = await machine.probe();
    await fromElsewhere(machine);
    assert.equal((await notices(probe)).length, 1);
    for (let round = 0; round < 3; round++) {
      await fromElsewhere(machine, "[connected() for _ in range(20)]\ntell(connected())");
      assert.equal((await notices(probe)).length, 1);
    }
    await probe.stop();
  },
);

kernelTest(
  "a listener on the same port in another namespace is dialled without a tombstone",
  async (machine) => {
    const probe = await machine.probe();
    const refused = await machine.python<string>("say(attempt(lambda: connected(LISTENER)))", {
      side: "host",
      inCgroup: true,
    });
    assert.equal(refused, "ECONNREFUSED");
    const { counters } = await probe.order<{ counters: Record<string, number> }>({ do: "inspect" });
    assert.equal(counters["direct"], 0);
    await probe.stop();
  },
);
