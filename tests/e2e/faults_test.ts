/** A host that misbehaves towards one caller or for one moment; `fault_matrix_test.ts` has what it does to everybody. */
import assert from "node:assert/strict";
import { healed } from "./faults/endure.ts";
import { e2eTest, IMDS, INSTANCE, NOBODY, type Scene, until } from "./scene.ts";

const AS_NOBODY = { user: NOBODY };
/** How long the host may take for the head of an answer, and how late that is noticed. */
const HEAD_MS = 10_000;
const LATE_MS = 2_000;

async function heldKey(scene: Scene): Promise<string> {
  const module = await scene.moduleStatus("keyLatchStatus");
  return (module as unknown as { states: Record<string, string> }).states["keyGuid"] ?? "";
}

e2eTest("a request that the host is slow with costs nobody else, and ends at the limit", {
  label: "faults",
  config: { telemetryIntervalInSeconds: 1 },
}, async (scene) => {
  const target = `${INSTANCE}&of=slow`;
  await scene.faults({ kind: "slow", ms: HEAD_MS + 3_000, endpoint: "imds", path: target });
  const began = performance.now();
  const slow = scene.statusOf(`http://${IMDS}${target}`, AS_NOBODY).then((status) => ({
    status,
    tookMs: performance.now() - began,
  }));
  await scene.step("others are served meanwhile", () => healed(scene));
  const { status, tookMs } = await slow;
  assert.equal(status, 503);
  assert.ok(tookMs > HEAD_MS && tookMs < HEAD_MS + LATE_MS, `${tookMs} ms`);
  const record = async () => (await scene.world.audit()).findLast(({ url }) => url === target);
  await until("it is recorded", async () => (await record())?.["reason"] === "upstream-timeout");
});

e2eTest("the key changes while the host is slow and clients ask", {
  label: "rotate",
  config: { telemetryIntervalInSeconds: 1 },
}, async (scene) => {
  const client = await scene.python(
    "clients/knocker.py",
    [IMDS, INSTANCE, "50", "keep-alive"],
    AS_NOBODY,
  );
  await client.line();
  await scene.faults({ kind: "slow", ms: 1_500, path: "/secure-channel/" });
  const guid = await scene.world.simulator.rotateKey();
  await until(
    "the new key is held",
    async () => await heldKey(scene) === guid,
    20_000,
  );
  await scene.faults();
  await client.hears("enough");
  const { statuses } = await client.says<{ statuses: Record<string, number> }>();
  await healed(scene);
  assert.deepEqual(Object.keys(statuses), ["200"], JSON.stringify(statuses));
  for (const { unsigned, bad } of Object.values(await scene.verdicts())) {
    assert.deepEqual({ unsigned, bad }, { unsigned: 0, bad: 0 });
  }
});
