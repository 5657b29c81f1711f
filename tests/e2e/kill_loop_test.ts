/**
 * The agent killed over and over under load: nothing may leave unsigned, and service comes back each time.
 * KILL_ROUNDS sets how often; 100 take about two minutes.
 */
import assert from "node:assert/strict";
import { stillThere } from "../../tools/demo/kernel_objects.ts";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  pause,
  type Scene,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";
import { gapsMs, SteadyClient, type SteadyReport } from "./steady_client.ts";

const KILLS = Number(Deno.env.get("KILL_ROUNDS") ?? 10);
/** Each of the four clients asks that often; together they make 1 kHz. */
const RATE = 250;
const ROUND_LIMIT_MS = 30_000;
/** What a caller may see while the agent is away or starts: no connection, a broken one, or 503 before the host was heard. */
const WHILE_AWAY = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "closed", "503"];

async function startClients(scene: Scene): Promise<SteadyClient[]> {
  const clients: SteadyClient[] = [];
  for (const fresh of [false, true]) {
    const rate = { rate: RATE, fresh };
    clients.push(
      await SteadyClient.start(scene, { to: [WIRESERVER, 80], target: VERSIONS, ...rate }),
      await SteadyClient.start(
        scene,
        { to: [IMDS, 80], target: INSTANCE, ...rate },
        { user: NOBODY },
      ),
    );
  }
  return clients;
}

/** Kills the agent at some moment of its life, in every third round already while it starts, and starts it again. */
async function killAndRestart(scene: Scene, round: number): Promise<void> {
  const { world } = scene;
  await pause(100);
  if (round % 3 === 2) {
    await world.killAgent();
    await world.spawnAgent();
    await pause(Math.random() * 1_000);
  } else {
    await pause(Math.random() * 400);
  }
  await world.killAgent();
  if (round % 2 === 1) await pause(Math.random() * 300);
  await world.startAgent();
}

e2eTest(
  `the agent is killed ${KILLS} times under 1,000 requests a second, and not one leaves unsigned`,
  { limitMs: 60_000 + KILLS * ROUND_LIMIT_MS, simulatorArgs: ["--journal", "1000"] },
  async (scene) => {
    const { world } = scene;
    const clients = await startClients(scene);
    const objects = new Set(await scene.kernelObjects());
    const backMs: number[] = [];
    for (let round = 0; round < KILLS; round++) {
      const startedAt = performance.now();
      await killAndRestart(scene, round);
      for (const object of await scene.kernelObjects()) objects.add(object);
      backMs.push(performance.now() - startedAt);
      const { imds, wireserver } = await scene.verdicts();
      assert.deepEqual([imds.unsigned, imds.bad], [0, 0], `round ${round}`);
      assert.deepEqual([wireserver.unsigned, wireserver.bad], [0, 0], `round ${round}`);
    }
    await pause(500);
    const reports = await Promise.all(clients.map((client) => client.end()));

    for (const report of reports) assertSane(report);
    const { imds, wireserver } = await scene.verdicts();
    const answered = (each: readonly (SteadyReport | undefined)[]) =>
      each.reduce((sum, report) => sum + (report?.counts["200"] ?? 0), 0);
    // Whoever was answered was answered by a signed request; some more were signed and not answered.
    assert.ok(imds.signed >= answered([reports[1], reports[3]]));
    assert.ok(wireserver.signed >= answered([reports[0], reports[2]]));
    assert.deepEqual([imds.refused, wireserver.refused], [0, 0]);
    console.log(JSON.stringify({ kills: KILLS, ...figures(reports) }));

    assert.equal(await world.stopAgent(), 0);
    assert.ok(objects.size > 0);
    assert.deepEqual(await stillThere([...objects]), []);
    assert.deepEqual(await mountsBelow(world.sandbox.folder), []);
  },
);

function assertSane({ counts, changes, maxMs }: SteadyReport): void {
  const unexpected = Object.keys(counts).filter((outcome) =>
    outcome !== "200" && !WHILE_AWAY.includes(outcome)
  );
  assert.deepEqual(unexpected, [], JSON.stringify(counts));
  // Served again after each kill, and at the end.
  assert.equal(changes.at(-1)?.[1], "200", JSON.stringify(changes.slice(-3)));
  assert.ok(
    changes.filter(([, outcome]) => outcome === "200").length >= KILLS,
    JSON.stringify(changes),
  );
  assert.ok((maxMs ?? Infinity) < 5_000);
}

function figures(reports: readonly SteadyReport[]): Record<string, unknown> {
  const gaps = reports.flatMap(gapsMs).map(Math.round).sort((a, b) => a - b);
  const counts: Record<string, number> = {};
  for (const report of reports) {
    for (const [outcome, count] of Object.entries(report.counts)) {
      counts[outcome] = (counts[outcome] ?? 0) + count;
    }
  }
  const at = (part: number) => gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * part))];
  return {
    counts,
    refusedForMs: { gaps: gaps.length, median: at(0.5), p90: at(0.9), longest: gaps.at(-1) },
    slowestAnswerMs: Math.max(...reports.map(({ maxMs }) => maxMs ?? 0)),
  };
}

async function mountsBelow(folder: string): Promise<string[]> {
  return (await Deno.readTextFile("/proc/self/mountinfo")).split("\n")
    .filter((line) => line.includes(folder));
}
