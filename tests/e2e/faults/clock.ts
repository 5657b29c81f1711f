/** The wall clock of the VM is set by far, both ways, while the agent runs. Time that only goes forward goes on. */
import assert from "node:assert/strict";
import { installed } from "../policy_change.ts";
import { type Scene, until } from "../scene.ts";
import type { Fault, FaultGroup } from "./fault.ts";

const SOURCE = new URL("wall_clock.c", import.meta.url).pathname;
const DAY_S = 86_400;
const JUMP_S = 400 * DAY_S;

function clockFile(scene: Scene): string {
  return `${scene.world.sandbox.folder}/wall_clock`;
}

/** Sets the agent's clock apart from the machine's. The file is mapped: it is written in place. */
async function setClock(scene: Scene, aheadS: number): Promise<void> {
  using file = await Deno.open(clockFile(scene), { write: true, create: true });
  await file.write(new Uint8Array(new BigInt64Array([BigInt(aheadS)]).buffer));
}

async function preload(scene: Scene): Promise<void> {
  const { sandbox } = scene.world;
  const library = `${sandbox.folder}/wall_clock.so`;
  const { code, stderr } = await new Deno.Command("clang", {
    args: ["-shared", "-fPIC", "-O2", "-o", library, SOURCE],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  await setClock(scene, 0);
  scene.world.agentEnvironment = { LD_PRELOAD: library, WALL_CLOCK_FILE: clockFile(scene) };
}

function jump(name: string, aheadS: number): Fault {
  return {
    name,
    async bring(scene) {
      await setClock(scene, aheadS);
      await statusIsOf(scene, aheadS);
      return () => setClock(scene, 0);
    },
    callers: [200],
    recorded: null,
    status: null,
    // It goes by the times of files, which are the kernel's and do not jump here.
    doctor: null,
    log: null,
    async during(scene) {
      await pollsGoOn(scene);
      await logIsOf(scene, aheadS);
    },
    after: (scene) => statusIsOf(scene, 0),
  };
}

/** As many polls as there are seconds. */
async function pollsGoOn(scene: Scene): Promise<void> {
  const { simulator } = scene.world;
  const since = await simulator.lastEntry();
  const polls = async () => {
    const { entries } = await simulator.call("GET", `/journal?since=${since}`) as {
      entries: { target: string }[];
    };
    return entries.filter(({ target }) => target === "/secure-channel/status").length;
  };
  const began = performance.now();
  await until("polls go on", async () => await polls() >= 2);
  const seconds = (performance.now() - began) / 1000;
  assert.ok(await polls() <= seconds + 2, "polls do not come in a storm");
}

/** The status document tells the new time at once. */
async function statusIsOf(scene: Scene, aheadS: number): Promise<void> {
  await until(
    "the status is of that time",
    async () => isOf(aheadS, String((await scene.world.status())["timestamp"])),
  );
}

/** What is logged from now on is of that time. */
async function logIsOf(scene: Scene, aheadS: number): Promise<void> {
  await installed(scene, () => scene.setModes({ wireserver: "enforce", imds: "audit" }));
  await until(
    "the log is of that time",
    async () =>
      (await scene.logLines("policy installed")).some((line) => isOf(aheadS, line.slice(0, 23))),
  );
  await installed(scene, () => scene.setModes({ wireserver: "enforce", imds: "enforce" }));
}

function isOf(aheadS: number, text: string): boolean {
  return Math.abs(Date.parse(`${text}Z`) - (Date.now() + aheadS * 1000)) < DAY_S * 1000;
}

/** Jumps of the wall clock. */
export const CLOCK: FaultGroup = {
  name: "clock",
  options: { label: "fclock", limitMs: 90_000 },
  prepare: preload,
  faults: [
    jump("clock jumps ahead", JUMP_S),
    jump("clock jumps back", -JUMP_S),
  ],
};
