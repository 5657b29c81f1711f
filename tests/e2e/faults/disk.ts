/** The folders of the agent cannot be written to: the log folder while it serves, the key folder while the key changes. */
import assert from "node:assert/strict";
import { installed } from "../policy_change.ts";
import { type Scene, until } from "../scene.ts";
import type { Fault, FaultGroup } from "./fault.ts";

type Folder = "logFolder" | "keyFolder";

/** A way to take a folder's writability, and what takes it back. */
type Taking = (folder: string) => Promise<() => Promise<void>>;

const fill: Taking = (folder) => {
  const ballast = `${folder}/ballast`;
  const file = Deno.openSync(ballast, { write: true, create: true });
  try {
    // The last pieces are small, so that no room is left for anything.
    for (const bytes of [65_536, 512]) {
      try {
        for (;;) file.writeSync(new Uint8Array(bytes));
      } catch (error) {
        assert.ok(error instanceof Error && error.message.includes("os error 28"), `${error}`);
      }
    }
  } finally {
    file.close();
  }
  return Promise.resolve(() => Deno.remove(ballast));
};

const remount: Taking = async (folder) => {
  await run("mount", "-o", "remount,ro", folder);
  return () => run("mount", "-o", "remount,rw", folder);
};

/** Root is above modes; nobody is above this attribute. */
const forbid: Taking = async (folder) => {
  await run("chattr", "-R", "+i", folder);
  return () => run("chattr", "-R", "-i", folder);
};

async function run(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(command, { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

/** The log folder takes nothing. What is seen of it can only be asked for: the document is in that folder. */
function logFolder(name: string, taking: Taking, error: string, rest: Partial<Fault>): Fault {
  return {
    name,
    async bring(scene) {
      // A file system with files that are being written does not become read-only.
      if (rest.atStart) await scene.world.stopAgent();
      const end = await taking(scene.world.logFolder);
      if (rest.atStart) await scene.world.startAgent();
      // A new state of the channel makes the document be written at once.
      await installed(scene, () => scene.setModes({ wireserver: "enforce", imds: "audit" }));
      return async () => {
        await end();
        await installed(scene, () => scene.setModes({ wireserver: "enforce", imds: "enforce" }));
      };
    },
    callers: [200],
    recorded: null,
    status: {
      module: "monitorStatus",
      state: "STOPPED",
      words: new RegExp(`^Error writing aggregate status to status file: ${error}`),
      askedOnly: true,
    },
    doctor: ["disk"],
    log: null,
    ...rest,
  };
}

/** The host changes its key while the key folder takes nothing. */
function keyFolder(name: string, taking: Taking, error: string, rest: Partial<Fault> = {}): Fault {
  return {
    name,
    async bring(scene) {
      const end = await taking(scene.world.keyFolder);
      await scene.world.simulator.rotateKey();
      return end;
    },
    callers: [200],
    recorded: null,
    status: {
      module: "keyLatchStatus",
      state: "STOPPED",
      words: new RegExp(`^Failed to save key details to file: .*${error}`),
    },
    doctor: ["disk", "key-latch", "status"],
    log: "key is not to be had",
    newKey: true,
    ...rest,
  };
}

/** Refused requests that found no room are counted in the log, and told with the cause. */
function lossIsTold(cause: RegExp): (scene: Scene) => Promise<void> {
  return async (scene) => {
    const notice = async () =>
      (await scene.world.audit()).findLast((line) =>
        line["notice"] === "lost" && cause.test(String(line["cause"]))
      );
    await until("the loss is told", async () => {
      await refusals(scene, 1);
      return await notice() !== undefined;
    });
    assert.ok(Number((await notice())?.["count"]) > 0);
  };
}

/** Refusals are written one by one. */
async function refusals(scene: Scene, times: number): Promise<void> {
  for (let round = 0; round < times; round++) {
    const url = `http://168.63.129.16/?comp=versions&round=${round}`;
    assert.equal(await scene.statusOf(url, { user: { uid: 65534, gid: 65534 } }), 403);
  }
}

async function onDiskOfItsOwn(scene: Scene, folder: Folder, mode: string): Promise<void> {
  const path = scene.world[folder];
  await Deno.mkdir(path, { mode: 0o750 });
  // The sandbox is a namespace of networks only: the mount is seen here as well, and taken off with the sandbox.
  await run("mount", "-t", "tmpfs", "-o", `size=8m,mode=${mode}`, "tmpfs", path);
}

/** Faults of the file systems. */
export const DISK: FaultGroup = {
  name: "disk",
  options: { label: "fdisk", limitMs: 120_000 },
  async prepare(scene) {
    await onDiskOfItsOwn(scene, "logFolder", "0750");
    await onDiskOfItsOwn(scene, "keyFolder", "0700");
  },
  faults: [
    logFolder("log disk full", fill, "ENOSPC", {
      during: (scene) => refusals(scene, 20),
      after: lossIsTold(/ENOSPC/),
    }),
    logFolder("log disk read-only", remount, "EROFS", {
      atStart: true,
      during: (scene) => refusals(scene, 5),
      after: lossIsTold(/EROFS|[Rr]ead-only/),
    }),
    logFolder("log folder forbidden", forbid, "EPERM", { doctor: [] }),
    keyFolder("key disk full", fill, "ENOSPC"),
    keyFolder("key disk read-only", remount, "EROFS"),
    keyFolder("key folder forbidden", forbid, "EPERM", {
      doctor: ["key-latch", "status"],
    }),
  ],
};
