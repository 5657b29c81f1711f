import assert from "node:assert/strict";
import type { MemoryLine } from "../fakes/memory_logger.ts";
import { compileBpf } from "./compile.ts";
import { bpftool } from "./kernel_objects.ts";
import { eventually, kernelTest, type Machine, ProbeError, type Told } from "./machine.ts";

interface VendorSeen {
  readonly connects: number;
  readonly last_port: number;
}

/** Programs of somebody else on the sandbox's cgroup. */
class Vendor {
  private constructor(readonly machine: Machine, readonly pins: string) {}

  static async load(machine: Machine, name: string): Promise<Vendor> {
    const { folder } = machine.sandbox;
    const object = await compileBpf("other_vendor.bpf.c", `${folder}/${name}.o`);
    const pins = `${folder}/${name}`;
    await Deno.mkdir(pins);
    assert.equal((await machine.sandbox.run(["mount", "-t", "bpf", "bpf", pins])).code, 0);
    await bpftool("prog", "loadall", object, `${pins}/prog`, "pinmaps", `${pins}/map`);
    return new Vendor(machine, pins);
  }

  async #onCgroup(verb: "attach" | "detach", program: string): Promise<void> {
    const { cgroup } = this.machine.sandbox;
    const pinned = `${this.pins}/prog/${program}`;
    const multi = verb === "attach" ? ["multi"] : [];
    await bpftool("cgroup", verb, cgroup, "connect4", "pinned", pinned, ...multi);
  }

  attach(program: string): Promise<void> {
    return this.#onCgroup("attach", program);
  }

  detach(program: string): Promise<void> {
    return this.#onCgroup("detach", program);
  }

  async seen(): Promise<VendorSeen> {
    const [entry] = await bpftool<{ formatted: { value: VendorSeen } }[]>(
      ...["map", "dump", "pinned", `${this.pins}/map/vendor_seen`],
    );
    return entry!.formatted.value;
  }
}

const dial = (machine: Machine) => machine.python<Told>("tell(connected())");

kernelTest(
  "programs of others, attached before and after ours, see their share and let us have ours",
  async (machine) => {
    const before = await Vendor.load(machine, "before");
    await before.attach("vendor_counts");
    const probe = await machine.probe();
    const after = await Vendor.load(machine, "after");
    await after.attach("vendor_counts");

    const { me, seen } = await dial(machine);
    assert.equal(seen.record?.cookie, me.cookie);
    assert.deepEqual(await before.seen(), { connects: 1, last_port: 80 });
    assert.deepEqual(await after.seen(), { connects: 1, last_port: 3080 });

    await before.detach("vendor_counts");
    assert.equal((await dial(machine)).seen.by, "agent");
    assert.equal((await before.seen()).connects, 1);
    assert.equal((await after.seen()).connects, 2);

    await probe.stop();
    assert.equal((await dial(machine)).seen.by, "host");
    assert.deepEqual(await after.seen(), { connects: 3, last_port: 80 });
  },
);

kernelTest(
  "a connect() that somebody else's program refuses leaves nothing behind",
  async (machine) => {
    const probe = await machine.probe();
    const vendor = await Vendor.load(machine, "vendor");
    await vendor.attach("vendor_refuses");
    assert.equal(await machine.python("say(attempt(connected))"), "EPERM");
    await vendor.detach("vendor_refuses");
    assert.equal((await dial(machine)).seen.by, "agent");
    await eventually("nothing lives", async () => {
      const { records } = await probe.order<{ records: { live: number } }>({ do: "inspect" });
      return records.live === 0;
    });
    await probe.stop();
  },
);

kernelTest(
  "where the full object is refused, the one without task reads is loaded and reported",
  async (machine) => {
    const refused = await compileBpf(
      "other_vendor.bpf.c",
      `${machine.sandbox.folder}/refused.o`,
      "REFUSED",
    );
    const probe = await machine.probe({ fullObject: refused });
    const { variant } = await probe.order<{ variant: string }>({ do: "inspect" });
    assert.equal(variant, "no-task-reads");
    const { seen } = await dial(machine);
    assert.equal(seen.record?.process.startedAtBootNs, "0");
    const lines = await probe.order<MemoryLine[]>({ do: "log" });
    const warning = lines.find(({ text }) => text.startsWith("the full BPF object was refused"));
    assert.match(String(warning?.fields["verifier"]), /invalid mem access/);
    await probe.stop();
  },
);

kernelTest("the full object is the one that is loaded where both can be", async (machine) => {
  const probe = await machine.probe();
  const { variant } = await probe.order<{ variant: string }>({ do: "inspect" });
  assert.equal(variant, "full");
  await probe.stop();
});

for (
  const [name, make, expected] of [
    [
      "programs that the kernel refuses",
      (folder: string) => compileBpf("other_vendor.bpf.c", `${folder}/bad.o`, "REFUSED"),
      /invalid mem access/,
    ],
    [
      "a file that is no object",
      async (folder: string) => {
        await Deno.writeTextFile(`${folder}/bad.o`, "nothing of the kind");
        return `${folder}/bad.o`;
      },
      /elf|ELF/,
    ],
  ] as const
) {
  kernelTest(
    `${name} end in BPF_LOAD with the last words of libbpf and the verifier`,
    async (machine) => {
      const bad = await make(machine.sandbox.folder);
      const probe = machine.startProbe({ fullObject: bad, noTaskObject: bad });
      await assert.rejects(probe.ready(), (error) => {
        assert.ok(error instanceof ProbeError);
        assert.equal(error.code, "BPF_LOAD");
        assert.match(error.detail, expected);
        return true;
      });
      await probe.leave();
      assert.equal((await dial(machine)).seen.by, "host");
    },
  );
}
