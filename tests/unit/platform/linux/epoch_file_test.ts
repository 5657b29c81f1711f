import assert from "node:assert/strict";
import { EPOCH_FILE_NAME, EpochFile } from "../../../../src/platform/linux/epoch_file.ts";

async function withFolder(play: (folder: string, path: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir();
  const folder = `${parent}/keys`;
  try {
    await play(folder, `${folder}/${EPOCH_FILE_NAME}`);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

Deno.test("EpochFile keeps a number, for nobody else to see", () =>
  withFolder(async (folder, path) => {
    const file = new EpochFile(folder);
    assert.equal(await file.read(), null);
    await file.write(41);
    await file.write(42);
    assert.equal(await file.read(), 42);
    assert.equal(await new EpochFile(folder).read(), 42);
    assert.equal(await Deno.readTextFile(path), "42\n");
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), [EPOCH_FILE_NAME]);
  }));

Deno.test("EpochFile.read() takes nothing for a number that is none of ours", async () => {
  const contents = [
    "",
    "7",
    "0\n",
    "-1\n",
    "07\n",
    "7\n\n",
    "seven\n",
    "1234567890123456\n",
    "\0".repeat(8),
  ];
  for (const content of contents) {
    await withFolder(async (folder, path) => {
      await Deno.mkdir(folder);
      await Deno.writeTextFile(path, content, { mode: 0o600 });
      await assert.rejects(new EpochFile(folder).read(), { code: "EPOCH_STORE_READ" }, content);
    });
  }
  await withFolder(async (folder, path) => {
    await new EpochFile(folder).write(7);
    await Deno.chmod(path, 0o644);
    await assert.rejects(new EpochFile(folder).read(), { code: "EPOCH_STORE_READ" });
  });
});

Deno.test("EpochFile.clear() forgets, once and again", () =>
  withFolder(async (folder) => {
    const file = new EpochFile(folder);
    await file.write(7);
    await file.clear();
    await file.clear();
    assert.equal(await file.read(), null);
  }));

Deno.test("EpochFile throws what it cannot do, and leaves the old number", () =>
  withFolder(async (folder, path) => {
    const file = new EpochFile(folder);
    await file.write(7);
    await Deno.mkdir(`${path}.tmp`);
    await Deno.writeTextFile(`${path}.tmp/x`, "");
    await assert.rejects(file.write(8), { code: "EPOCH_STORE_WRITE" });
    assert.equal(await file.read(), 7);
    await Deno.remove(path);
    await Deno.mkdir(`${path}/x`, { recursive: true });
    await assert.rejects(file.clear(), { code: "EPOCH_STORE_WRITE" });
  }));
