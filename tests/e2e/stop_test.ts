/** The orderly stop: at any moment of the start, with a host that hangs, and asked for twice. */
import assert from "node:assert/strict";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { e2eTest, IMDS, INSTANCE, NOBODY, pause, type Scene, until, within } from "./scene.ts";

const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;
/** Moments after the start of the process at which it is told to stop, milliseconds. */
const MOMENTS = [0, 60, 120, 180, 240, 300, 360, 420, 480, 600, 800];
/** No request is running: nothing has to be waited for. */
const QUICK_MS = 4_000;

function spawnAgent({ world }: Scene): Deno.ChildProcess {
  const { configFile, program, sandbox } = world;
  return sandbox.spawn([...program, "console", "--config", configFile], {
    env: denoEnvironment(),
    stdout: "null",
    stderr: "null",
  });
}

/** Sends the signals with pauses before each of them; the end of the process and how long it took from the first one. */
async function stop(
  agent: Deno.ChildProcess,
  signals: readonly (readonly [number, Deno.Signal])[],
): Promise<Deno.CommandStatus & { readonly tookMs: number }> {
  let began = Infinity;
  for (const [afterMs, signal] of signals) {
    await pause(afterMs);
    began = Math.min(began, performance.now());
    agent.kill(signal);
  }
  const status = await within(agent.status, 20_000);
  return { ...status, tookMs: Math.round(performance.now() - began) };
}

e2eTest("SIGTERM at any moment of the start ends it in time and leaves nothing in the kernel", {
  started: false,
}, async (scene) => {
  let orderly = 0;
  for (const afterMs of MOMENTS) {
    const { code, signal, tookMs } = await stop(spawnAgent(scene), [[afterMs, "SIGTERM"]]);
    assert.ok(tookMs < QUICK_MS, `${tookMs} ms`);
    // Before its first line the program has touched nothing, and the signal does what it does to any program.
    assert.ok(code === 0 || signal === "SIGTERM", `${afterMs} ms: ${code} ${signal}`);
    if (code === 0) orderly++;
    assert.deepEqual(await scene.kernelObjects(), [], `stopped after ${afterMs} ms`);
  }
  assert.ok(orderly > 0, "the last moments come when the agent runs");
  assert.deepEqual(await scene.logLines("[ERROR]"), []);
  await scene.world.startAgent();
  assert.equal(await scene.statusOf(INSTANCE_URL, { user: NOBODY }), 200);
});

e2eTest(
  "SIGTERM does not wait for a host that never answered",
  { started: false },
  async (scene) => {
    await scene.faults({ kind: "hang" });
    const agent = spawnAgent(scene);
    await until(
      "the agent asks the host",
      async () => (await scene.moduleStatus("keyLatchStatus").catch(() => null)) !== null,
    );
    const { code, tookMs } = await stop(agent, [[300, "SIGTERM"]]);
    assert.equal(code, 0);
    assert.ok(tookMs < QUICK_MS, `${tookMs} ms`);
  },
);

e2eTest("two signals at once are one wish, and a second wish ends the agent at once", {
  started: false,
}, async (scene) => {
  const { world } = scene;
  await scene.faults({ kind: "hang", endpoint: "imds", path: `${INSTANCE}&of=hang` });
  const serving = async () => {
    const agent = spawnAgent(scene);
    await world.waitUntilReady();
    const hanging = scene.statusOf(`${INSTANCE_URL}&of=hang`, { user: NOBODY });
    await pause(500);
    return { agent, hanging };
  };

  await scene.step("two at once", async () => {
    const { agent, hanging } = await serving();
    const { code, tookMs } = await stop(agent, [[0, "SIGINT"], [5, "SIGINT"], [5, "SIGTERM"]]);
    assert.equal(code, 0);
    assert.ok(tookMs > 4_000, `a running request was given ${tookMs} ms`);
    assert.deepEqual(await scene.kernelObjects(), []);
    await hanging;
  });

  await scene.step("a second wish", async () => {
    const { agent, hanging } = await serving();
    const { code, tookMs } = await stop(agent, [[0, "SIGTERM"], [1_500, "SIGTERM"]]);
    assert.equal(code, 1);
    assert.ok(tookMs < 4_000, `${tookMs} ms`);
    await hanging;
    assert.notEqual((await scene.kernelObjects()).length, 0, "callers are refused, not let by");
  });

  await scene.step("the next start heals what that left", async () => {
    await world.startAgent();
    assert.equal(await scene.statusOf(INSTANCE_URL, { user: NOBODY }), 200);
    assert.equal(await world.stopAgent(), 0);
    assert.deepEqual(await scene.kernelObjects(), []);
  });
});
