/**
 * @module
 * The main job on this machine's own kernel: a sandbox with a simulated host and the agent, and every promise of the
 * product played once. `--keep` leaves it running to play with; `--program PATH` plays a compiled agent.
 */
import { parseArgs } from "node:util";
import { buildBpf } from "../build_bpf.ts";
import { World } from "../sandbox/world.ts";
import {
  BUILD_TOOLS,
  ensureTools,
  fetchModules,
  requirements,
  RUN_TOOLS,
  runTool,
  SetupError,
  withProgress,
} from "../setup/mod.ts";
import { kernelObjectsOf, stillThere } from "./kernel_objects.ts";
import { IMDS, playAll } from "./scenes.ts";
import { Stage } from "./stage.ts";

const USAGE = `Usage: deno task demo [--keep] [--program PATH]

  --keep          leave the sandbox running at the end, until Enter or Ctrl-C
  --program PATH  a compiled agent to play instead of the source
`;

await runTool(async () => {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      keep: { type: "boolean", default: false },
      program: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.program !== undefined) await demandExecutable(values.program);
  requirements();
  await ensureTools([...BUILD_TOOLS, ...RUN_TOOLS, "curl", "bpftool"]);
  await buildBpf();
  await fetchModules(["main.ts"]);
  const stage = new Stage((line) => console.log(line));
  {
    await using world = await withProgress(
      "making the sandbox and starting the simulated host",
      () =>
        World.create({
          label: "demo",
          ...(values.program === undefined ? {} : { program: [values.program] }),
        }),
    );
    await withProgress("starting the agent", () => world.startAgent());
    await playAll(stage, world);
    if (values.keep) await keep(world);
    await stage.step("The agent is stopped", async (step) => {
      const objects = await kernelObjectsOf(world.sandbox.cgroup);
      const code = await world.stopAgent();
      step.check("it stops in order: exit code 0", code === 0);
      const left = await stillThere(objects);
      step.say(`it had ${objects.length} links, programs and maps in the kernel`);
      step.check("none of them is left", objects.length > 0 && left.length === 0);
    });
  }
  const verdict = stage.crosses === 0 ? "all of it holds" : `${stage.crosses} did not hold`;
  console.log(`\nThe sandbox is gone. ${verdict}.`);
  return stage.crosses === 0 ? 0 : 1;
});

/** @throws SetupError when there is no program at `path` that could be started */
async function demandExecutable(path: string): Promise<void> {
  const status = await Deno.stat(path).catch(() => null);
  const isExecutable = status?.isFile === true && ((status.mode ?? 0) & 0o111) !== 0;
  if (!isExecutable) {
    throw SetupError.of(`\`${path}\` is no executable file`, "make one with: deno task compile");
  }
}

/** Shows how to play, and waits for Enter, the end of the input or Ctrl-C. */
async function keep(world: World): Promise<void> {
  const { sandbox, simulator } = world;
  const inside = `sh -c 'echo $$ > ${sandbox.cgroup}/cgroup.procs; exec nsenter --net=${
    sandbox.namespacePath("vm")
  } "$@"' sh`;
  console.log(`
The sandbox keeps running. From another shell, as root:
  a caller        ${inside} curl -s -H Metadata:true '${IMDS}'
  what it did     tail -f ${world.logFolder}/ProxyAgent.Connection.log
  the policy      curl -s --unix-socket ${simulator.socketPath} http://simulator/policy
  what was seen   curl -s --unix-socket ${simulator.socketPath} http://simulator/journal
Press Enter or Ctrl-C to end it.`);
  const interrupted = new Promise<void>((resolve) => {
    Deno.addSignalListener("SIGINT", resolve);
    Deno.addSignalListener("SIGTERM", resolve);
  });
  await Promise.race([interrupted, Deno.stdin.read(new Uint8Array(1))]);
}
