/** The configuration is read again on SIGHUP: what can change does, what cannot is told. */
import assert from "node:assert/strict";
import { activeEpoch } from "./policy_change.ts";
import { e2eTest, IMDS, INSTANCE, NOBODY, type Scene, until } from "./scene.ts";

async function rewrite(scene: Scene, change: Record<string, unknown> | string): Promise<void> {
  const path = scene.world.configFile;
  const text = typeof change === "string"
    ? change
    : JSON.stringify({ ...JSON.parse(await Deno.readTextFile(path)), ...change });
  await Deno.writeTextFile(path, text);
  Deno.kill(scene.world.agentPid!, "SIGHUP");
}

async function configurationStatus(scene: Scene): Promise<{ status: string; message: string }> {
  return await scene.moduleStatus("configurationStatus");
}

async function serves(scene: Scene): Promise<void> {
  const status = await scene.statusOf(`http://${IMDS}${INSTANCE}`, { user: NOBODY });
  assert.equal(status, 200);
}

e2eTest("SIGHUP changes levels, matching and interval while the agent serves", {
  config: { fileLogLevel: "Info", pollKeyStatusIntervalInSeconds: 1 },
}, async (scene) => {
  const { world } = scene;
  const pid = world.agentPid;
  await serves(scene);
  const good = await Deno.readTextFile(world.configFile);
  assert.deepEqual(await scene.logLines("[DEBUG]"), []);

  await scene.step("log levels", async () => {
    await rewrite(scene, { fileLogLevel: "Trace", fileLogLevelForSystemEvents: "Info" });
    await until(
      "the change is told",
      async () =>
        (await scene.logLines("configuration changed part=configuration key=fileLogLevel"))
          .length === 2,
    );
    assert.match(await world.agentOutput(), /configuration was read again/);
  });

  await scene.step("how the matchers count", async () => {
    const before = await activeEpoch(scene);
    await rewrite(scene, { canonicalRequestMode: "enforce" });
    await until("a policy with the new matching", async () => await activeEpoch(scene) > before);
    await serves(scene);
  });

  await scene.step("the upload of telemetry", async () => {
    for (
      const [telemetryUpload, words] of [
        [false, /^Telemetry stays on this machine\.$/],
        [true, /^Telemetry is kept and (not uploaded yet|uploaded)\.$/],
      ] as const
    ) {
      await rewrite(scene, { telemetryUpload });
      await until(
        "the status says so",
        async () => words.test((await scene.moduleStatus("telemetryLoggerStatus")).message),
      );
    }
  });

  await scene.step("how many connections a user may hold", async () => {
    const hanging = `${INSTANCE}&of=held`;
    await scene.faults({ kind: "hang", endpoint: "imds", path: hanging });
    const held = scene.statusOf(`http://${IMDS}${hanging}`, { user: NOBODY });
    const next = (connects: boolean) =>
      until(connects ? "there is room" : "there is no room", async () => {
        const { code } = await scene.curl([`http://${IMDS}/`], { user: NOBODY });
        return (code === 0) === connects;
      });
    await next(true);
    await rewrite(scene, { maxConnectionsPerUser: 1 });
    await next(false);
    await rewrite(scene, { maxConnectionsPerUser: 2 });
    await next(true);
    await scene.faults();
    await held;
  });

  await scene.step("what needs a restart is told", async () => {
    await rewrite(scene, { cgroupRoot: "/sys/fs/cgroup/other", pollKeyStatusIntervalInSeconds: 2 });
    await until(
      "the status says so",
      async () =>
        (await configurationStatus(scene)).message.includes("a restart is needed for cgroupRoot"),
    );
    assert.equal((await scene.logLines("key=pollKeyStatusIntervalInSeconds")).length, 1);
  });

  await scene.step("the file as it was takes that back", async () => {
    await rewrite(scene, good);
    await until(
      "the status says so",
      async () => !(await configurationStatus(scene)).message.includes("restart"),
    );
    assert.equal((await configurationStatus(scene)).status, "RUNNING");
    await serves(scene);
  });

  assert.equal(world.agentPid, pid);
  assert.equal(await world.stopAgent(), 0);
});

e2eTest("SIGHUP in a storm is one wish, and never ends the agent", {}, async (scene) => {
  const { world } = scene;
  for (let i = 0; i < 200; i++) Deno.kill(world.agentPid!, "SIGHUP");
  await serves(scene);
  await until("it was read", async () => (await scene.logLines("was read again")).length > 0);
  assert.ok((await scene.logLines("was read again")).length < 200);
  assert.equal(await world.stopAgent("SIGINT"), 0);
});
