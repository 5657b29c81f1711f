/** The policy of the process before is in force before the host was heard; in doubt nothing is. */
import assert from "node:assert/strict";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { grants, installed, tellHost } from "./policy_change.ts";
import { e2eTest, IMDS, INSTANCE, NOBODY, type Scene, until, VERSIONS } from "./scene.ts";

const AS_NOBODY = { user: NOBODY };
const OTHER = "/metadata/versions";
/** The host does not answer the agent; what callers ask for it does. */
const NO_STATUS = { kind: "reset", endpoint: "wireserver", path: "/secure-channel" };
const RULES = {
  imds: {
    defaultAccess: "deny",
    mode: "enforce",
    id: "kept",
    rules: grants({ path: "/metadata/instance", to: { userName: "nobody" } }),
  },
};

async function exitOfStatus(scene: Scene): Promise<number> {
  const { program, sandbox } = scene.world;
  return (await sandbox.run([...program, "--status"], { inCgroup: false })).code;
}

async function installRules(scene: Scene): Promise<void> {
  await installed(scene, () => tellHost(scene, RULES));
  assert.equal(await scene.statusOf(`http://${IMDS}${INSTANCE}`, AS_NOBODY), 200);
  assert.equal(await scene.statusOf(`http://${IMDS}${OTHER}`, AS_NOBODY), 403);
}

async function serving(scene: Scene): Promise<void> {
  await until(
    "the listener serves",
    async () =>
      (await scene.curl(["-H", "Metadata: true", "http://127.0.0.1:3080/provision"])).answer
        ?.status === 200,
  );
}

e2eTest("redirection, decisions and signatures are up before the host is", {}, async (scene) => {
  const { world } = scene;
  await installRules(scene);
  const kept = await Deno.stat(`${world.keyFolder}/policy.kept`);
  assert.equal((kept.mode ?? 0) & 0o777, 0o600);
  assert.equal(kept.uid, 0);
  assert.equal(await world.stopAgent(), 0);
  assert.deepEqual(await scene.kernelObjects(), [], "nothing is left to redirect");

  await scene.faults(NO_STATUS);
  await world.spawnAgent();
  await serving(scene);
  await until(
    "callers are redirected",
    async () => await scene.statusOf(`http://${IMDS}${OTHER}`, AS_NOBODY) === 403,
  );
  const { value, host, audit } = await scene.observe(async () => [
    await scene.statusOf(`http://${IMDS}${INSTANCE}`, AS_NOBODY),
    await scene.statusOf(`http://${IMDS}${OTHER}`, AS_NOBODY),
  ]);
  assert.deepEqual(value, [200, 403]);
  assert.deepEqual(
    host.filter(({ endpoint }) => endpoint === "imds").map(({ verdict }) => verdict),
    ["signed"],
  );
  assert.equal(audit.length, 2);

  await scene.step("nobody is told that provisioning is finished", async () => {
    assert.equal(await exitOfStatus(scene), 1);
    const { status } = await scene.moduleStatus("keyLatchStatus");
    assert.equal(status, "UNKNOWN");
    const document = async () =>
      (await world.status() as {
        proxyAgentStatus: { keyLatchStatus: { states: Record<string, string> }; status: string };
      }).proxyAgentStatus;
    await until(
      "the status says that the policy was kept",
      async () => /^\d{4}-/.test((await document()).keyLatchStatus.states["policyKeptAt"] ?? ""),
    );
    const shown = await document();
    assert.equal(shown.keyLatchStatus.states["secureChannelState"], "Unknown");
    assert.equal(shown.status, "ERROR");
  });

  await scene.step("the first word of the host replaces it", async () => {
    await scene.world.simulator.call("PUT", "/policy", {
      version: "2.0",
      secureChannelEnabled: true,
      authorizationRules: {
        imds: { defaultAccess: "allow", mode: "enforce", id: "new" },
      },
    });
    await scene.faults();
    await world.waitUntilReady();
    assert.equal(await scene.statusOf(`http://${IMDS}${OTHER}`, AS_NOBODY), 200);
    assert.equal(await exitOfStatus(scene), 0);
  });
  assert.equal(await world.stopAgent(), 0);
});

e2eTest(
  "what is ordered behind the agent starts when callers are redirected",
  {},
  async (scene) => {
    const { configFile, program, sandbox } = scene.world;
    await installRules(scene);
    assert.equal(await scene.world.stopAgent(), 0);
    await scene.faults(NO_STATUS);
    const manager = await scene.python("clients/service_manager.py", [
      ...[sandbox.folder, "1000000", ...program, "console", "--config", configFile],
    ], { env: { ...denoEnvironment(), PATH: Deno.env.get("PATH") ?? "" } });
    assert.equal(await manager.line(), "ready");
    assert.equal(await scene.statusOf(`http://${IMDS}${OTHER}`, AS_NOBODY), 403);
    assert.equal(await scene.statusOf(`http://${IMDS}${INSTANCE}`, AS_NOBODY), 200);
    await manager.hears("stop");
    assert.equal((await manager.says<{ exit: number }>()).exit, 0);
    assert.equal(await manager.ended(), 0);
  },
);

e2eTest(
  "a kept policy that somebody changed is not used, and nothing is decided without one",
  {},
  async (scene) => {
    const { world } = scene;
    await installRules(scene);
    assert.equal(await world.stopAgent(), 0);
    const path = `${world.keyFolder}/policy.kept`;
    const text = await Deno.readTextFile(path);
    assert.ok(text.includes('"defaultAccess":"deny"'));
    await Deno.writeTextFile(
      path,
      text.replace('"defaultAccess":"deny"', '"defaultAccess":"allow"'),
    );
    await scene.faults(NO_STATUS);
    await world.spawnAgent();
    await serving(scene);
    await until(
      "it is told",
      async () => (await scene.logLines("kept policy is not used")).length === 1,
    );
    assert.match((await scene.logLines("kept policy is not used"))[0] ?? "", /its seal is broken/);
    const { audit } = await scene.observe(() =>
      scene.statusOf(`http://${IMDS}${VERSIONS}`, AS_NOBODY)
    );
    assert.deepEqual(audit, [], "no redirect before the host was heard, as ever");
    assert.equal(await world.stopAgent(), 0);
  },
);
