/** Somebody takes the kernel programs, or what holds them, away. */
import assert from "node:assert/strict";
import { kernelObjectsOf } from "../../../tools/demo/kernel_objects.ts";
import { bpftool } from "../../kernel/kernel_objects.ts";
import { type Scene, until } from "../scene.ts";
import type { Fault, FaultGroup } from "./fault.ts";

const BACK_WITHIN_MS = 2_500;

async function links(scene: Scene): Promise<string[]> {
  const objects = await kernelObjectsOf(scene.world.sandbox.cgroup);
  return objects.filter((object) => object.startsWith("link "))
    .map((object) => object.slice("link ".length));
}

/** Takes links off. The agent puts them back by itself: the fault is over when it has. */
async function takeOff(scene: Scene, ids: readonly string[]): Promise<void> {
  const count = (await links(scene)).length;
  assert.ok(ids.length > 0);
  await Promise.all(ids.map((id) => bpftool("link", "detach", "id", id)));
  await until(
    "all programs are attached",
    async () => (await links(scene)).length === count,
    BACK_WITHIN_MS,
  );
}

function detached(name: string, act: (scene: Scene) => Promise<void>): Fault {
  return {
    name,
    async bring(scene) {
      await act(scene);
      return () => Promise.resolve();
    },
    callers: [200],
    recorded: null,
    status: {
      module: "ebpfProgramStatus",
      state: "RUNNING",
      words: /^Started Redirector with eBPF maps/,
    },
    doctor: [],
    log: "the eBPF programs were detached",
  };
}

/** Faults of the kernel programs. */
export const KERNEL: FaultGroup = {
  name: "kernel",
  options: { label: "fkern", limitMs: 90_000 },
  faults: [
    detached("a BPF program detached", async (scene) => {
      const { length } = await links(scene);
      assert.ok(length > 1);
      for (let index = 0; index < length; index++) {
        await takeOff(scene, (await links(scene)).slice(index, index + 1));
      }
    }),
    detached("all BPF programs detached", async (scene) => takeOff(scene, await links(scene))),
  ],
};
