/** The agent starts with a key file that is not its key: it asks the host for another. */
import assert from "node:assert/strict";
import type { JournalLine } from "../../../src/simulator/journal.ts";
import { IMDS, INSTANCE, NOBODY, type Scene, until } from "../scene.ts";
import type { Fault, FaultGroup } from "./fault.ts";

/** What becomes of the file and of its text. */
type Damage = (path: string, text: string) => Promise<void>;

function damaged(
  name: string,
  damage: Damage,
  log: string,
  doctor: readonly string[] = [],
  signsWrongly = false,
): Fault {
  let asked = 0;
  let path = "";
  return {
    name,
    async bring(scene) {
      const { world } = scene;
      path = await keyFile(scene);
      assert.equal(await world.stopAgent(), 0);
      await damage(path, await Deno.readTextFile(path));
      asked = await world.simulator.lastEntry();
      await world.startAgent();
      if (signsWrongly) await refusedOnce(scene);
      // A file that is of no use to the agent is left to people.
      return () => Deno.remove(path).catch(() => {});
    },
    callers: [200],
    recorded: null,
    status: {
      module: "keyLatchStatus",
      state: "RUNNING",
      words: /^Successfully attest the key and ready to use\./,
    },
    doctor,
    log,
    atStart: true,
    signsWrongly,
    async during(scene) {
      const proof = signsWrongly ? [ATTEST] : [];
      assert.deepEqual(await keyRequests(scene, asked), [...proof, ACQUIRE, ATTEST]);
    },
  };
}

const ACQUIRE = "/secure-channel/key";
const ATTEST = "/secure-channel/key/{guid}/key-attestation";

/** A caller gets the host's refusal; at the next poll the agent looks whether its key is to blame. */
async function refusedOnce(scene: Scene): Promise<void> {
  const ask = () => scene.statusOf(`http://${IMDS}${INSTANCE}`, { user: NOBODY });
  assert.equal(await ask(), 401);
  await until("callers are served again", async () => await ask() === 200);
}

/** What was asked of the host on the way to a key. */
async function keyRequests(scene: Scene, since: number): Promise<string[]> {
  const { entries } = await scene.world.simulator.call("GET", `/journal?since=${since}`) as {
    entries: JournalLine[];
  };
  return entries.filter(({ target }) => target.startsWith("/secure-channel/key"))
    .map(({ target }) => target.replace(/[0-9a-f-]{36}/, "{guid}"));
}

/** The file of the key in use. */
async function keyFile(scene: Scene): Promise<string> {
  const { states } = await scene.moduleStatus("keyLatchStatus") as unknown as {
    states: Readonly<Record<string, string>>;
  };
  return `${scene.world.keyFolder}/${states["keyGuid"]}.key`;
}

function text(change: (text: string) => string): Damage {
  return (path, before) => {
    const after = change(before);
    assert.notEqual(after, before);
    return Deno.writeTextFile(path, after);
  };
}

const OPEN = ["permissions"];
const UNUSABLE = "stored key is unusable";

/** Faults of the key file. */
export const KEY_FILE: FaultGroup = {
  name: "key file",
  options: { label: "fkeyf", limitMs: 90_000 },
  faults: [
    damaged("key file corrupt", text(() => "rubbish"), UNUSABLE),
    damaged("key file empty", text(() => ""), UNUSABLE),
    damaged("key file truncated", text((whole) => whole.slice(0, whole.length / 2)), UNUSABLE),
    damaged("key file without a key", text(() => '{"guid": "x", "key": 5}'), UNUSABLE),
    damaged(
      "key file of another id",
      text((whole) => whole.replace(/"guid": "[0-9a-f-]+"/, `"guid": "${crypto.randomUUID()}"`)),
      UNUSABLE,
    ),
    damaged("key file of another owner", (path) => Deno.chown(path, 65534, 65534), UNUSABLE, OPEN),
    damaged("key file open to others", (path) => Deno.chmod(path, 0o644), UNUSABLE, OPEN),
    damaged("key file missing", (path) => Deno.remove(path), "is starting"),
    damaged(
      "key file with a foreign key",
      text((whole) => whole.replace(/"key": "[0-9A-Fa-f]+"/, `"key": "${"5A".repeat(32)}"`)),
      "stored key was refused",
      [],
      true,
    ),
  ],
};
