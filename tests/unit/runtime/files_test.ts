import assert from "node:assert/strict";
import {
  createPrivateFolder,
  describeFileError,
  openPrivateFolder,
  replaceFile,
} from "../../../src/runtime/files.ts";

async function inFolder(body: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const umask = Deno.umask(0o077);
  try {
    await body(folder);
  } finally {
    Deno.umask(umask);
    await Deno.remove(folder, { recursive: true });
  }
}

const modeOf = (path: string) => (Deno.lstatSync(path).mode ?? 0) & 0o7777;
const isOurs = (name: string) => name === "ours";

Deno.test("createPrivateFolder() creates missing parents, all 0750 whatever the umask", () =>
  inFolder((folder) => {
    createPrivateFolder(`${folder}/a/b/c`);
    for (const path of ["a", "a/b", "a/b/c"]) assert.equal(modeOf(`${folder}/${path}`), 0o750);
  }));

Deno.test("createPrivateFolder() leaves an existing folder alone", () =>
  inFolder((folder) => {
    Deno.mkdirSync(`${folder}/a`);
    Deno.chmodSync(`${folder}/a`, 0o711);
    createPrivateFolder(`${folder}/a`);
    assert.equal(modeOf(`${folder}/a`), 0o711);
  }));

Deno.test("createPrivateFolder() fails where a file is in the way", () =>
  inFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/f`, "");
    assert.throws(() => createPrivateFolder(`${folder}/f/a`));
  }));

Deno.test("openPrivateFolder() tells a creation", () =>
  inFolder((folder) => {
    assert.equal(openPrivateFolder(`${folder}/new`, isOurs), "created");
    assert.equal(modeOf(`${folder}/new`), 0o750);
  }));

Deno.test("openPrivateFolder() closes a wide folder that holds nothing foreign", () =>
  inFolder((folder) => {
    Deno.chmodSync(folder, 0o755);
    Deno.writeTextFileSync(`${folder}/ours`, "");
    assert.equal(openPrivateFolder(folder, isOurs), "tightened");
    assert.equal(modeOf(folder), 0o750);
  }));

Deno.test("openPrivateFolder() never touches a folder that others use too", () =>
  inFolder((folder) => {
    Deno.chmodSync(folder, 0o755);
    Deno.writeTextFileSync(`${folder}/syslog`, "");
    assert.equal(openPrivateFolder(folder, isOurs), "kept");
    assert.equal(modeOf(folder), 0o755);
  }));

Deno.test("openPrivateFolder() never touches a sticky folder, and never widens one", () =>
  inFolder((folder) => {
    Deno.chmodSync(folder, 0o1777);
    assert.equal(openPrivateFolder(folder, isOurs), "kept");
    assert.equal(modeOf(folder), 0o1777);
    Deno.chmodSync(folder, 0o700);
    assert.equal(openPrivateFolder(folder, isOurs), "kept");
    assert.equal(modeOf(folder), 0o700);
  }));

Deno.test("replaceFile() replaces the content with the mode asked for, and leaves no sibling", () =>
  inFolder(async (folder) => {
    const path = `${folder}/status.json`;
    await Deno.writeTextFile(path, "old and longer");
    await replaceFile(path, `${folder}/status.tmp`, new TextEncoder().encode("new"), 0o640);
    assert.equal(await Deno.readTextFile(path), "new");
    assert.equal(modeOf(path), 0o640);
    assert.deepEqual([...Deno.readDirSync(folder)].map((entry) => entry.name), ["status.json"]);
  }));

Deno.test("replaceFile() writes content that comes in pieces in their order", () =>
  inFolder(async (folder) => {
    const pieces = ["one ", "", "two"].map((text) => new TextEncoder().encode(text));
    await replaceFile(`${folder}/f`, `${folder}/f.tmp`, pieces, 0o600);
    assert.equal(await Deno.readTextFile(`${folder}/f`), "one two");
  }));

Deno.test("replaceFile() removes a stale sibling and does not write through a link", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/victim`, "untouched");
    await Deno.symlink(`${folder}/victim`, `${folder}/f.tmp`);
    await replaceFile(`${folder}/f`, `${folder}/f.tmp`, new TextEncoder().encode("new"), 0o600);
    assert.equal(await Deno.readTextFile(`${folder}/victim`), "untouched");
    assert.equal(await Deno.readTextFile(`${folder}/f`), "new");
  }));

Deno.test("replaceFile() fails and keeps the old file when the folder is gone", () =>
  inFolder(async (folder) => {
    const write = replaceFile(`${folder}/no/f`, `${folder}/no/t`, new Uint8Array(), 0o600);
    await assert.rejects(write, Deno.errors.NotFound);
  }));

Deno.test("replaceFile() keeps the old file when the sibling's place cannot be cleared", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/f`, "old");
    await Deno.mkdir(`${folder}/f.tmp`);
    await Deno.writeTextFile(`${folder}/f.tmp/x`, "");
    const write = replaceFile(`${folder}/f`, `${folder}/f.tmp`, new Uint8Array(1), 0o600);
    await assert.rejects(write);
    assert.equal(await Deno.readTextFile(`${folder}/f`), "old");
  }));

Deno.test("describeFileError() names the system's code, else the error", () => {
  assert.match(describeFileError(fullDisk()), /^ENOSPC: /);
  assert.equal(describeFileError(new TypeError("x")), "TypeError: x");
  assert.equal(describeFileError("text"), "text");
});

function fullDisk(): unknown {
  const full = Deno.openSync("/dev/full", { write: true });
  try {
    full.writeSync(new Uint8Array(1));
    return assert.fail("writing to /dev/full worked");
  } catch (error) {
    return error;
  } finally {
    full.close();
  }
}
