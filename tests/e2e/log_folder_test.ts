/** A log folder that goes away costs lines, not service. */
import assert from "node:assert/strict";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  type Scene,
  until,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";

const AS_NOBODY = { user: NOBODY };
const REFUSED_URL = `http://${WIRESERVER}${VERSIONS}`;

/** Requests that are recorded, served and refused as ever. */
async function serves(scene: Scene, times: number): Promise<void> {
  const { value, host } = await scene.observe(async () => {
    const statuses: number[] = [];
    for (let i = 0; i < times; i++) {
      statuses.push(await scene.statusOf(`http://${IMDS}${INSTANCE}`, AS_NOBODY));
      statuses.push(await scene.statusOf(REFUSED_URL, AS_NOBODY));
    }
    return statuses;
  });
  assert.deepEqual(value, Array.from({ length: times }, () => [200, 403]).flat());
  assert.deepEqual(host.map(({ verdict }) => verdict), Array(times).fill("signed"));
}

e2eTest("a log folder that is removed while the agent runs is made again", {}, async (scene) => {
  const { world } = scene;
  await serves(scene, 1);
  // The agent may write something anew between two steps of removing the folder.
  await until(
    "the folder is gone",
    () => Deno.remove(world.logFolder, { recursive: true }).then(() => true, isGone),
  );
  await until("there is a log again", async () => {
    await serves(scene, 1);
    return (await world.audit()).some((line) => line["decision"] === "deny");
  });
  const { mode } = await Deno.stat(world.logFolder);
  assert.equal((mode ?? 0) & 0o777, 0o750);
  assert.equal(await world.stopAgent(), 0);
});

/** Whether nothing was left to remove. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound;
}
