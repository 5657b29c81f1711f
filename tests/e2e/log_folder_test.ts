/** A log folder that cannot be written to costs lines, not service. */
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

async function mount(...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("mount", { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

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

/** The record of lost lines in the audit log. */
async function lostLines(scene: Scene): Promise<{ count: number; cause: string } | null> {
  const path = `${scene.world.logFolder}/ProxyAgent.Connection.log`;
  const text = await Deno.readTextFile(path).catch(() => "");
  const line = text.split("\n").find((each) => each.includes('"notice":"lost"'));
  return line === undefined ? null : JSON.parse(line.slice(line.indexOf("{")));
}

e2eTest("a log folder that is read-only at the start is written to once it can be", {
  started: false,
}, async (scene) => {
  const { world } = scene;
  await Deno.mkdir(world.logFolder, { mode: 0o750 });
  await mount("-t", "tmpfs", "-o", "size=1m,mode=750", "tmpfs", world.logFolder);
  await mount("-o", "remount,ro", world.logFolder);
  await world.startAgent();
  await serves(scene, 10);
  await mount("-o", "remount,rw", world.logFolder);
  await until("the loss is told", async () => {
    await scene.statusOf(REFUSED_URL, AS_NOBODY);
    return await lostLines(scene) !== null;
  });
  const lost = await lostLines(scene);
  assert.ok((lost?.count ?? 0) >= 11, JSON.stringify(lost));
  assert.match(lost?.cause ?? "", /EROFS|[Rr]ead-only/);
  await until("the status is there", () => world.status().then(() => true, () => false), 15_000);
  await serves(scene, 2);
  assert.equal(await world.stopAgent(), 0);
});

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
