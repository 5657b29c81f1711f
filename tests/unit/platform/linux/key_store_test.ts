import assert from "node:assert/strict";
import { KEPT_KEYS } from "../../../../src/agent/key_keeper/mod.ts";
import { LinuxKeyStore } from "../../../../src/platform/linux/key_store.ts";
import type { AgentError } from "../../../../src/runtime/errors.ts";
import { id } from "../../../conformance/key_store.ts";

/** Plays with a store in a folder of its own that does not exist yet. */
async function withStore(
  play: (store: LinuxKeyStore, folder: string) => Promise<void>,
): Promise<void> {
  const parent = await Deno.makeTempDir();
  const folder = `${parent}/deep/keys`;
  try {
    await play(new LinuxKeyStore(folder, { kept: KEPT_KEYS }), folder);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

async function failsWith(work: Promise<unknown>, code: string, text: string): Promise<void> {
  await assert.rejects(work, (error: AgentError) => {
    assert.equal(error.code, code);
    assert.ok(error.message.includes(text), error.message);
    return true;
  });
}

const mode = async (path: string) => (await Deno.lstat(path)).mode! & 0o7777;

Deno.test("open() makes a folder that is closed to everybody else, and closes an open one", () =>
  withStore(async (store, folder) => {
    await store.open();
    assert.equal(await mode(folder), 0o700);
    await Deno.chmod(folder, 0o755);
    await store.open();
    assert.equal(await mode(folder), 0o700);
  }));

Deno.test("open() leaves a folder of the system alone that was named by mistake, and says what to do", () =>
  withStore(async (store, folder) => {
    await Deno.mkdir(`${folder}/others`, { recursive: true });
    await Deno.chmod(folder, 0o755);
    const told = "is open to others and holds the folder `others`";
    await failsWith(store.open(), "KEY_STORE_WRITE", told);
    await failsWith(store.open(), "KEY_STORE_WRITE", "set latchKeyFolder to a folder of its own");
    assert.equal(await mode(folder), 0o755);
    await Deno.chmod(folder, 0o700);
    await store.open();
  }));

Deno.test("open() refuses a file in the folder's place", () =>
  withStore(async (store, folder) => {
    await Deno.mkdir(folder.replace("/keys", ""), { recursive: true });
    await Deno.writeTextFile(folder, "");
    await failsWith(store.open(), "KEY_STORE_WRITE", folder);
  }));

Deno.test("open() refuses a folder of somebody else that it cannot have", () =>
  withStore(async (store, folder) => {
    await store.open();
    const other = new LinuxKeyStore(folder, { kept: KEPT_KEYS, ownerUid: Deno.uid()! + 1 });
    const chown = Deno.chown;
    Deno.chown = () => Promise.reject(new Deno.errors.PermissionDenied("not allowed"));
    try {
      await failsWith(other.open(), "KEY_STORE_WRITE", `belongs to user ${Deno.uid()}`);
    } finally {
      Deno.chown = chown;
    }
  }));

Deno.test("write() and promote() leave one file, 0600, under the name of the contract", () =>
  withStore(async (store, folder) => {
    await store.open();
    await store.write(id(1), "text");
    assert.equal(await mode(`${folder}/${id(1)}.issued`), 0o600);
    await store.promote(id(1));
    assert.deepEqual([...Deno.readDirSync(folder)].map((entry) => entry.name), [`${id(1)}.key`]);
    assert.equal(await mode(`${folder}/${id(1)}.key`), 0o600);
  }));

Deno.test("write() gives nobody else a look in between, whatever the umask", () =>
  withStore(async (store, folder) => {
    await store.open();
    const modes: number[] = [];
    const open = Deno.open;
    Deno.open = async (path, options) => {
      const file = await open(path, options);
      if (String(path).endsWith(".tmp")) modes.push((await Deno.lstat(path)).mode! & 0o777);
      return file;
    };
    const umask = Deno.umask(0);
    try {
      await store.write(id(1), "text");
    } finally {
      Deno.umask(umask);
      Deno.open = open;
    }
    assert.deepEqual(modes, [0o600]);
    assert.equal(await mode(`${folder}/${id(1)}.issued`), 0o600);
  }));

Deno.test("write() writes through no link", () =>
  withStore(async (store, folder) => {
    await store.open();
    const victim = `${folder}/victim`;
    await Deno.writeTextFile(victim, "untouched");
    await Deno.symlink(victim, `${folder}/${id(1)}.issued`);
    await Deno.symlink(victim, `${folder}/${id(1)}.tmp`);
    await store.write(id(1), "text");
    assert.equal(await Deno.readTextFile(victim), "untouched");
    assert.equal(await store.read(id(1), "issued"), "text");
  }));

Deno.test("write() says what is wrong when there is no folder", () =>
  withStore(async (store, folder) => {
    await failsWith(store.write(id(1), "text"), "KEY_STORE_WRITE", `${folder}/${id(1)}.issued`);
  }));

Deno.test("read() takes the file of another agent under the same name", () =>
  withStore(async (store, folder) => {
    await store.open();
    await Deno.writeTextFile(`${folder}/${id(1)}.key`, "theirs", { mode: 0o600 });
    assert.equal(await store.read(id(1), "attested"), "theirs");
  }));

Deno.test("read() refuses what others could have read or written", () =>
  withStore(async (store, folder) => {
    await store.open();
    const path = `${folder}/${id(1)}.key`;
    await Deno.writeTextFile(path, "text");
    for (const bad of [0o640, 0o604, 0o620, 0o602, 0o610]) {
      await Deno.chmod(path, bad);
      await failsWith(store.read(id(1), "attested"), "KEY_STORE_READ", "is open to others");
    }
    await Deno.chmod(path, 0o600);
    assert.equal(await store.read(id(1), "attested"), "text");
  }));

Deno.test("read() refuses a file of somebody else", () =>
  withStore(async (store, folder) => {
    await store.open();
    await Deno.writeTextFile(`${folder}/${id(1)}.key`, "text", { mode: 0o600 });
    const other = new LinuxKeyStore(folder, { kept: KEPT_KEYS, ownerUid: Deno.uid()! + 1 });
    await failsWith(other.read(id(1), "attested"), "KEY_STORE_READ", "belongs to user");
  }));

Deno.test("read() refuses links, folders, pipes and files that are too large", () =>
  withStore(async (store, folder) => {
    await store.open();
    const path = `${folder}/${id(1)}.key`;
    await Deno.writeTextFile(`${folder}/real`, "text", { mode: 0o600 });
    await Deno.symlink(`${folder}/real`, path);
    await failsWith(store.read(id(1), "attested"), "KEY_STORE_READ", "ELOOP");
    await Deno.remove(path);
    await Deno.mkdir(path);
    await failsWith(store.read(id(1), "attested"), "KEY_STORE_READ", "is no regular file");
    await Deno.remove(path);
    await new Deno.Command("mkfifo", { args: ["-m", "600", path] }).output();
    await failsWith(store.read(id(1), "attested"), "KEY_STORE_READ", "is no regular file");
    await Deno.remove(path);
    await Deno.writeFile(path, new Uint8Array(65_537), { mode: 0o600 });
    await failsWith(store.read(id(1), "attested"), "KEY_STORE_READ", "has 65537 bytes");
  }));

Deno.test("prune() removes key files and nothing else", () =>
  withStore(async (_, folder) => {
    const store = new LinuxKeyStore(folder, { kept: { issued: 0, attested: 0 } });
    await store.open();
    const others = ["provisioned.tag", "status.tag", "notes.key", `${id(3)}.key.bak`, "x.issued"];
    for (const name of others) await Deno.writeTextFile(`${folder}/${name}`, "");
    await Deno.mkdir(`${folder}/${id(4)}.key`);
    await Deno.symlink(`${folder}/status.tag`, `${folder}/${id(5)}.key`);
    await store.write(id(1), "text");
    await store.promote(id(1));
    await store.write(id(2), "text");
    assert.equal(await store.prune([]), 2);
    const left = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
    assert.deepEqual(left, [...others, `${id(4)}.key`, `${id(5)}.key`].sort());
  }));

Deno.test("prune() says what is wrong when there is no folder", () =>
  withStore(async (store, folder) => {
    await failsWith(store.prune([]), "KEY_STORE_WRITE", folder);
  }));
