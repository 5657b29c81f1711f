/**
 * The agent is killed again and again under clients that ask a thousand times a second together. KILL_ROUNDS sets how often;
 * the full form is 100.
 */
import assert from "node:assert/strict";
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

const ROUNDS = Number(Deno.env.get("KILL_ROUNDS") ?? 10);
/** Of each of the four clients, a second. */
const RATE = 250;
const UP_MS = 300;
const DOWN_MS = 100;
/** A refused connection is refused by the kernel; this allows for a busy machine. */
const AT_ONCE_MS = 2_000;

interface Knocked {
  readonly statuses: Readonly<Record<string, number>>;
  readonly slowestFailureMs: number;
  readonly longestOutageMs: number;
}

e2eTest(
  `nothing leaves unsigned while the agent is killed ${ROUNDS} times under load, and each restart serves again`,
  { label: "kill", limitMs: 60_000 + ROUNDS * 3_000 },
  async (scene) => {
    const clients = await Promise.all([
      knock(scene, WIRESERVER, VERSIONS, "keep-alive", {}),
      knock(scene, WIRESERVER, VERSIONS, "fresh", {}),
      knock(scene, IMDS, INSTANCE, "keep-alive", { user: NOBODY }),
      knock(scene, IMDS, INSTANCE, "fresh", { user: NOBODY }),
    ]);
    for (let round = 0; round < ROUNDS; round++) {
      await pause(UP_MS);
      await scene.world.killAgent();
      await pause(DOWN_MS);
      await scene.world.startAgent();
    }
    await pause(UP_MS);

    const results: Knocked[] = [];
    for (const client of clients) {
      await client.hears("enough");
      results.push(await client.says<Knocked>());
    }
    const verdicts = await scene.verdicts();
    for (const endpoint of ["wireserver", "imds"] as const) {
      const { signed, unsigned, bad } = verdicts[endpoint];
      assert.deepEqual({ endpoint, unsigned, bad }, { endpoint, unsigned: 0, bad: 0 });
      assert.ok(signed > ROUNDS * 20, `${endpoint} saw only ${signed} signed requests`);
    }
    for (const { statuses, slowestFailureMs } of results) {
      const served = statuses["200"] ?? 0;
      assert.ok(served > ROUNDS * 10, `a client was served only ${served} times`);
      // 503: the new process took over before it had heard the host.
      const answered = Object.keys(statuses).filter((outcome) => /^\d+$/.test(outcome));
      assert.deepEqual(answered.filter((status) => status !== "200" && status !== "503"), []);
      assert.ok(slowestFailureMs < AT_ONCE_MS, `a failure took ${slowestFailureMs} ms`);
    }
    console.log(JSON.stringify({ rounds: ROUNDS, verdicts, results }));
  },
);

async function knock(
  scene: Scene,
  address: string,
  target: string,
  mode: "keep-alive" | "fresh",
  options: Parameters<Scene["python"]>[2],
): ReturnType<Scene["python"]> {
  const client = await scene.python(
    "clients/knocker.py",
    [address, target, String(RATE), mode],
    options,
  );
  await client.line();
  return client;
}
