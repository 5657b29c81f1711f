/**
 * Measures what the agent costs: the whole agent behind the kernel's real redirect, beside the direct path to the host and
 * beside nginx `proxy_pass`, in one run; its memory, its start, and what it adds to others. Every row has a budget, and
 * a missed one ends the bench with exit code 1. How to read the figures: docs/performance.md.
 *
 * @module
 */
import { buildBpf } from "../build_bpf.ts";
import {
  BUILD_TOOLS,
  ensureTools,
  fetchModules,
  requirements,
  RUN_TOOLS,
  runTool,
  withProgress,
} from "../setup/mod.ts";
import type { RowId } from "./budgets.ts";
import { measureConnectCost } from "./connect_cost.ts";
import { measureAttribution, measureEventLoop } from "./in_process.ts";
import { measureShape, SHAPES } from "./load.ts";
import type { Measurement } from "./measurement.ts";
import { failed } from "./measurement.ts";
import { measureConnections, measureIdle } from "./memory.ts";
import { type BenchOptions, parseOptions, USAGE } from "./options.ts";
import { programOf } from "./program.ts";
import { machineFacts, othersShare, resultJson, rowsOf, table } from "./report.ts";
import { BenchStage, CANDIDATES, FLOORS } from "./stage.ts";
import { measureStarts } from "./start.ts";

const HELD: readonly RowId[] = ["held-policy", "held-rotation", "held-status", "held-sweep"];
const IDLE: readonly RowId[] = ["idle-rss", "idle-cpu"];
const STARTS: readonly RowId[] = ["start-listening", "start-signed"];
/** Above this share of the processors a warning is due. */
const MOST_BY_OTHERS = 0.1;

await runTool(async () => {
  const options = parseOptions(Deno.args);
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  Deno.chdir(new URL("../..", import.meta.url));
  requirements();
  await ensureTools([...BUILD_TOOLS, ...RUN_TOOLS, "curl", "nginx", "wrk"]);
  const objects = await buildBpf();
  await fetchModules(["main.ts", "tools/bench/parts/event_loop.ts"]);
  const program = await programOf(options.program);
  const others = await othersShare();
  const machine = { ...machineFacts(), othersPerCent: Math.round(others * 100) };
  if (others > MOST_BY_OTHERS) {
    console.log(`others use ${machine.othersPerCent} % of the processors: expect worse figures`);
  }
  const rows = rowsOf(await measureAll(options, program, objects));
  console.log(`
${Object.entries(machine).map(([name, value]) => `${name} ${value}`).join(", ")}

${table(rows)}

Ratios are medians over ${options.rounds} rounds, in each of which all candidates were loaded. What rules cost is measured
by tests/bench/policy_budgets.ts.`);
  if (options.jsonPath !== null) {
    await Deno.writeTextFile(options.jsonPath, resultJson(rows, options, machine));
  }
  return rows.every(({ verdict }) => verdict === "must" || verdict === "stretch") ? 0 : 1;
});

/** Leaves nothing behind after Ctrl-C. */
function closeWhenAsked(stage: BenchStage): void {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    Deno.addSignalListener(signal, async () => {
      await stage.close();
      Deno.exit(code);
    });
  }
}

/** Runs the measurements that were asked for. Those that need no agent come first, those that load it last. */
async function measureAll(
  options: BenchOptions,
  program: readonly string[],
  objects: string,
): Promise<Measurement[]> {
  const found: Measurement[] = [];
  const wants = (...ids: readonly RowId[]) => ids.some((id) => options.rows.has(id));
  const measure = async (
    ids: readonly RowId[],
    label: string,
    work: () => Promise<Measurement | Measurement[]>,
  ) => {
    if (!wants(...ids)) return;
    try {
      const measured = [await withProgress(label, work)].flat();
      found.push(...measured.filter(({ id }) => options.rows.has(id)));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      found.push(...ids.filter((id) => options.rows.has(id)).map((id) => failed(id, reason)));
    }
  };
  await using stage = await withProgress(
    "making the sandbox with the simulated host and nginx",
    () => BenchStage.create(program, objects),
  );
  closeWhenAsked(stage);
  await measure(["attribution"], "attribution", () => measureAttribution(stage));
  await measure(HELD, "event loop", () => measureEventLoop(stage));
  await measure(STARTS, "starting the agent again and again", () => measureStarts(stage));
  await withProgress("starting the agent", () => stage.world.startAgent());
  await stage.checkRoutes();
  await measure(
    IDLE,
    "the idle agent",
    () => measureIdle(stage, options.idleSeconds),
  );
  await measure(
    ["connect-cost"],
    "cost of an unrelated connect()",
    () => measureConnectCost(stage),
  );
  await measure(["rss-1000"], "memory with 1,000 connections", () => measureConnections(stage));
  if (options.explain) await stage.startFloors();
  const candidates = [...CANDIDATES, ...(options.explain ? FLOORS : [])];
  for (const shape of SHAPES) {
    const { rounds, seconds } = options;
    await measure(
      [shape.id],
      `load: ${shape.id}`,
      () => measureShape(stage, shape, candidates, rounds, seconds),
    );
  }
  return found;
}
