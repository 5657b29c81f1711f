import assert from "node:assert/strict";
import type { MemoryLine } from "../fakes/memory_logger.ts";
import { bpftool, leftOver, listKernelObjects } from "./kernel_objects.ts";
import {
  eventually,
  kernelTest,
  type Machine,
  type Probe,
  ProbeError,
  type Talker,
  type Told,
} from "./machine.ts";

interface Link {
  readonly id: number;
  readonly cgroup_id?: number;
  readonly attach_type?: string;
}

const PROGRAMS = 7;
const MAPS = 9;
const REFUSED_LIMIT_MS = 50;
const STALE_AFTER_MS = 5_000;

/** Links of the sandbox's cgroup. */
async function links(machine: Machine): Promise<Link[]> {
  const { ino } = await Deno.stat(machine.sandbox.cgroup);
  return (await bpftool<Link[]>("link", "list")).filter(({ cgroup_id }) => cgroup_id === ino);
}

async function attached(probe: Probe): Promise<boolean> {
  return (await probe.order<{ attached: boolean }>({ do: "inspect" })).attached;
}

async function kill(probe: Probe): Promise<void> {
  probe.kill();
  await probe.ended();
}

/** A caller with a connection that stays open, whatever becomes of the listener. */
async function connectedCaller(machine: Machine): Promise<[Talker, Told]> {
  const caller = machine.caller("s = connected()\ntell(s)\nwait()");
  return [caller, await caller.says<Told>()];
}

async function cookieOf(probe: Probe, { me }: Told): Promise<string | null> {
  const attribution = await probe.order<{ record?: { cookie: string } }>({
    do: "attribute",
    ...me.local,
  });
  return attribution.record?.cookie ?? null;
}

/** One connect() to IMDS: what came of it, and how long it took. */
function dial(machine: Machine): Promise<{ outcome: string; ms: number }> {
  return machine.python(`
s = tcp()
before = time.monotonic()
failed = attempt(lambda: s.connect(IMDS))
ms = (time.monotonic() - before) * 1000
say({"outcome": failed or ask(s)["by"], "ms": ms})
`);
}

/** Pins in the folders below `folder`; what lies in it directly is the kernel's own. */
function pinsOf(folder: string): string[] {
  return [...Deno.readDirSync(folder)].filter((entry) => entry.isDirectory).flatMap(({ name }) => {
    const pins = [...Deno.readDirSync(`${folder}/${name}`)].filter((entry) => !entry.isDirectory);
    return [...pins.map((pin) => `${folder}/${name}/${pin.name}`), ...pinsOf(`${folder}/${name}`)];
  });
}

kernelTest("detach() takes off every program, link, map and pin", async (machine) => {
  const before = await listKernelObjects();
  const probe = await machine.probe();
  const now = await listKernelObjects();
  assert.ok([...now.prog].filter((id) => !before.prog.has(id)).length >= PROGRAMS);
  assert.equal((await links(machine)).length, PROGRAMS);
  assert.equal(pinsOf(`${machine.sandbox.folder}/bpf`).length, PROGRAMS + MAPS);
  await probe.order({ do: "detach" });
  assert.equal(await attached(probe), false);
  assert.deepEqual(await links(machine), []);
  await probe.leave();
  assert.deepEqual(await leftOver(before, "no such name"), []);
  assert.equal((await dial(machine)).outcome, "host");
});

kernelTest("detach() and attach() may follow each other in one process", async (machine) => {
  const probe = await machine.probe();
  for (let round = 0; round < 3; round++) {
    await probe.order({ do: "detach" });
    await probe.order({ do: "detach" });
    assert.equal((await dial(machine)).outcome, "host");
    await probe.order({ do: "attach" });
    await probe.order({ do: "attach" });
    assert.equal((await dial(machine)).outcome, "agent");
  }
  await probe.stop();
});

kernelTest(
  "a killed agent leaves callers of an enforced endpoint refused at once",
  async (machine) => {
    const probe = await machine.probe({ targets: { imds: "enforce" } });
    await kill(probe);
    assert.equal((await links(machine)).length, PROGRAMS);
    for (let round = 0; round < 5; round++) {
      const { outcome, ms } = await dial(machine);
      assert.equal(outcome, "ECONNREFUSED");
      assert.ok(ms < REFUSED_LIMIT_MS, `${ms} ms`);
    }
    assert.equal(await machine.hostConnections(), 0);
  },
);

kernelTest(
  "a killed agent leaves callers of an audited endpoint to the host, 5 s after its last beat",
  async (machine) => {
    const probe = await machine.probe({ targets: { imds: "audit" }, staleAfterMs: STALE_AFTER_MS });
    assert.equal((await dial(machine)).outcome, "agent");
    await kill(probe);
    const killedAt = performance.now();
    assert.equal((await dial(machine)).outcome, "ECONNREFUSED");
    await new Promise((resolve) => setTimeout(resolve, STALE_AFTER_MS - 1_500));
    assert.equal((await dial(machine)).outcome, "ECONNREFUSED");
    await eventually(
      "callers reach the host",
      async () => (await dial(machine)).outcome === "host",
    );
    assert.ok(performance.now() - killedAt < STALE_AFTER_MS + 1_000);
  },
);

kernelTest(
  "a silent agent is passed by callers of audited endpoints alone, until it beats again",
  async (machine) => {
    const probe = await machine.probe({
      targets: { imds: "audit", wireserver: "enforce" },
      staleAfterMs: 700,
    });
    const dialBoth = () =>
      machine.python(`say([ask(connected(IMDS))["by"], ask(connected(WIRESERVER))["by"]])`);
    assert.deepEqual(await dialBoth(), ["agent", "agent"]);
    await probe.order({ do: "beat", on: false });
    await new Promise((resolve) => setTimeout(resolve, 800));
    assert.deepEqual(await dialBoth(), ["host", "agent"]);
    await probe.order({ do: "beat", on: true });
    await eventually("it beats", async () => (await dial(machine)).outcome === "agent");
    await probe.stop();
  },
);

kernelTest("a restarted agent takes over records, targets and counters", async (machine) => {
  const first = await machine.probe();
  const [caller, told] = await connectedCaller(machine);
  await kill(first);
  const second = await machine.probe({ targets: null });
  assert.equal(await cookieOf(second, told), told.me.cookie);
  const { counters } = await second.order<{ counters: Record<string, number> }>({ do: "inspect" });
  assert.equal(counters["redirected"], 1);
  assert.equal((await dial(machine)).outcome, "agent");
  assert.equal((await links(machine)).length, PROGRAMS);
  await caller.ended();
  await second.stop();
});

kernelTest(
  "no connect() reaches the host while the agent is killed and started again",
  async (machine) => {
    let probe = await machine.probe({ targets: { imds: "enforce" } });
    const callers = [0, 1].map(() =>
      machine.caller(`
say("begun")
outcomes = {}
stop = []
threading.Thread(target=lambda: (sys.stdin.readline(), stop.append(1)), daemon=True).start()
while not stop:
    s = tcp()
    s.settimeout(2)
    outcome = attempt(lambda: s.connect(IMDS)) or "connected"
    outcomes[outcome] = outcomes.get(outcome, 0) + 1
    s.close()
say(outcomes)
`)
    );
    for (const caller of callers) assert.equal(await caller.says(), "begun");
    for (let round = 0; round < 5; round++) {
      await kill(probe);
      probe = await machine.probe({ targets: round % 2 === 0 ? null : { imds: "enforce" } });
    }
    for (const caller of callers) {
      await caller.hears();
      const outcomes = await caller.says<Record<string, number>>();
      await caller.ended();
      assert.ok((outcomes["connected"] ?? 0) > 100, JSON.stringify(outcomes));
      assert.ok((outcomes["ECONNREFUSED"] ?? 0) > 100, JSON.stringify(outcomes));
    }
    assert.equal(await machine.hostConnections(), 0);
    await probe.stop();
  },
);

kernelTest(
  "a second agent on the cgroup is refused while the first one lives, however often it tries",
  async (machine) => {
    const first = await machine.probe();
    const [caller, told] = await connectedCaller(machine);
    const second = await machine.probe({ attach: false, listen: false, targets: null });
    const tryIt = () =>
      assert.rejects(second.order({ do: "attach" }), (error) => {
        assert.ok(error instanceof ProbeError);
        assert.equal(error.code, "BPF_ATTACH");
        assert.match(error.message, /another agent \(process `\d+`\) already guards this cgroup/);
        return true;
      });
    await tryIt();
    const descriptors = await second.order<number>({ do: "descriptors" });
    for (let round = 0; round < 5; round++) await tryIt();
    assert.equal(await second.order<number>({ do: "descriptors" }), descriptors);
    assert.equal(await attached(first), true);
    assert.equal(await cookieOf(first, told), told.me.cookie);
    assert.equal((await dial(machine)).outcome, "agent");
    await kill(first);
    await second.order({ do: "attach" });
    assert.equal(await cookieOf(second, told), told.me.cookie);
    await caller.ended();
    await second.stop();
  },
);

kernelTest(
  "a link that somebody detached is noticed, and made anew without losing a record",
  async (machine) => {
    const probe = await machine.probe();
    const [caller, told] = await connectedCaller(machine);
    for (const { id, attach_type } of await links(machine)) {
      await bpftool("link", "detach", "id", String(id));
      assert.equal(await attached(probe), false, attach_type);
      await probe.order({ do: "attach" });
      assert.equal(await attached(probe), true, attach_type);
      assert.equal((await dial(machine)).outcome, "agent");
      assert.equal(await cookieOf(probe, told), told.me.cookie);
    }
    assert.equal((await links(machine)).length, PROGRAMS);
    await caller.ended();
    await probe.stop();
  },
);

kernelTest(
  "pins that somebody removed are noticed, and restored without losing a record",
  async (machine) => {
    const probe = await machine.probe();
    const [caller, told] = await connectedCaller(machine);
    const all = pinsOf(`${machine.sandbox.folder}/bpf`);
    for (const pin of all) {
      await Deno.remove(pin);
      assert.equal(await attached(probe), false, pin);
      await probe.order({ do: "attach" });
      assert.equal(await attached(probe), true, pin);
    }
    for (const pin of all) await Deno.remove(pin);
    await probe.order({ do: "attach" });
    assert.deepEqual(pinsOf(`${machine.sandbox.folder}/bpf`).sort(), all.sort());
    assert.equal((await links(machine)).length, PROGRAMS);
    assert.equal(await cookieOf(probe, told), told.me.cookie);
    await kill(probe);
    const next = await machine.probe({ targets: null });
    assert.equal(await cookieOf(next, told), told.me.cookie);
    await caller.ended();
    await next.stop();
  },
);

kernelTest(
  "a BPF file system is mounted for the pins where none is, and goes with them",
  async (machine) => {
    const folder = `${machine.sandbox.folder}/bpf`;
    const mounted = () =>
      Deno.readTextFileSync("/proc/self/mountinfo").split("\n").filter((line) =>
        line.includes(` ${folder} `)
      ).length;
    assert.equal(mounted(), 0);
    const probe = await machine.probe();
    assert.equal(mounted(), 1);
    assert.equal((await Deno.stat(folder)).mode! & 0o777, 0o700);
    await probe.stop();
    assert.equal(mounted(), 0);
    await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
  },
);

kernelTest("a BPF file system that is there is used, and stays", async (machine) => {
  const mount = `${machine.sandbox.folder}/there`;
  await Deno.mkdir(mount);
  assert.equal((await machine.sandbox.run(["mount", "-t", "bpf", "bpf", mount])).code, 0);
  const probe = await machine.probe({ bpfFolder: `${mount}/agent` });
  assert.equal(pinsOf(mount).length, PROGRAMS + MAPS);
  await probe.stop();
  assert.deepEqual(pinsOf(mount), []);
  assert.equal((await machine.sandbox.run(["umount", mount])).code, 0);
});

kernelTest(
  "the usual place for the pins works, whether a BPF file system is mounted there or not",
  async (machine) => {
    const probe = await machine.probe({ bpfFolder: "/sys/fs/bpf/azure-proxy-agent" });
    assert.equal((await dial(machine)).outcome, "agent");
    const lines = await probe.order<MemoryLine[]>({ do: "log" });
    const pins = String(lines.find(({ text }) => text === "redirector attached")?.fields["pins"]);
    assert.equal([...Deno.readDirSync(pins)].length, PROGRAMS + MAPS);
    await probe.stop();
    await assert.rejects(Deno.stat(pins), Deno.errors.NotFound);
  },
);
