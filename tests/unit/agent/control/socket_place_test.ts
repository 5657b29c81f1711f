import assert from "node:assert/strict";
import { prepareSocketPlace } from "../../../../src/agent/control/socket_place.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";

const uid = Deno.uid() ?? 0;

async function inFolder(play: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await play(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function refuses(path: string, words: RegExp, ownerUid = uid): Promise<void> {
  await assert.rejects(
    () => prepareSocketPlace(path, ownerUid),
    (error) =>
      error instanceof AgentError && error.code === "CONTROL_SOCKET" && words.test(error.message),
  );
}

Deno.test("prepareSocketPlace() makes the folder 0750 and leaves a free place alone", () =>
  inFolder(async (folder) => {
    await prepareSocketPlace(`${folder}/run/control.sock`, uid);
    assert.equal((await Deno.stat(`${folder}/run`)).mode! & 0o777, 0o750);
    await prepareSocketPlace(`${folder}/run/control.sock`, uid);
  }));

Deno.test("prepareSocketPlace() removes a socket that nobody serves, and keeps one that is served", () =>
  inFolder(async (folder) => {
    const path = `${folder}/control.sock`;
    const listener = Deno.listen({ transport: "unix", path });
    await refuses(path, /another process serves/);
    assert.equal((await Deno.lstat(path)).isSocket, true);
    // A second name, which the end of the listener does not take away: this is what a killed agent leaves.
    const left = `${folder}/left.sock`;
    await Deno.link(path, left);
    listener.close();
    await prepareSocketPlace(left, uid);
    await assert.rejects(() => Deno.lstat(left), Deno.errors.NotFound);
  }));

Deno.test("prepareSocketPlace() touches neither a link nor a file", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "keep");
    await refuses(`${folder}/file`, /is no socket/);
    await Deno.symlink(`${folder}/file`, `${folder}/link`);
    await refuses(`${folder}/link`, /is no socket/);
    await Deno.symlink(`${folder}/nowhere`, `${folder}/dangling`);
    await refuses(`${folder}/dangling`, /is no socket/);
    assert.equal(await Deno.readTextFile(`${folder}/file`), "keep");
  }));

Deno.test("prepareSocketPlace() refuses a folder in which others may write, a foreign one, and a link to one", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/open`);
    await Deno.chmod(`${folder}/open`, 0o777);
    await refuses(
      `${folder}/open/s`,
      /others may write.*; run: chown root '[^`]+' && chmod 0750 '/,
    );
    await refuses(`${folder}/s`, /others may write/, uid + 1);
    await Deno.symlink(folder, `${folder}/link`);
    await refuses(`${folder}/link/s`, /is no folder/);
    await Deno.writeTextFile(`${folder}/file`, "");
    await refuses(`${folder}/file/s`, /is no folder/);
    await refuses(`${folder}/file/below/s`, /cannot be made/);
  }));

Deno.test("prepareSocketPlace() refuses what is no path of a socket", async () => {
  await refuses("control.sock", /no absolute path/);
  await refuses("/control.sock", /no absolute path/);
  await refuses("/run/agent/", /no absolute path/);
  await refuses(`/run/${"a".repeat(108)}`, /longer than/);
});
