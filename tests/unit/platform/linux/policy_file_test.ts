import assert from "node:assert/strict";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { POLICY_FILE_NAME, PolicyFile } from "../../../../src/platform/linux/policy_file.ts";

async function withFolder(play: (folder: string, path: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir();
  const folder = `${parent}/keys`;
  try {
    await play(folder, `${folder}/${POLICY_FILE_NAME}`);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof AgentError && error.code === code;
}

Deno.test("PolicyFile keeps a text, for nobody else to see, and forgets it", () =>
  withFolder(async (folder, path) => {
    const file = new PolicyFile(folder);
    assert.equal(await file.read(), null);
    await file.clear();
    await file.write("one");
    await file.write("two\u00e9\n");
    assert.equal(await new PolicyFile(folder).read(), "two\u00e9\n");
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), [POLICY_FILE_NAME]);
    await file.clear();
    assert.equal(await file.read(), null);
  }));

Deno.test("PolicyFile.read() reads nothing that others could have written or read", () =>
  withFolder(async (folder, path) => {
    const file = new PolicyFile(folder);
    await file.write("x");
    for (const mode of [0o602, 0o620, 0o604, 0o640]) {
      await Deno.chmod(path, mode);
      await assert.rejects(file.read(), hasCode("POLICY_STORE_READ"));
    }
    await Deno.chmod(path, 0o600);
    await assert.rejects(new PolicyFile(folder, 12345).read(), hasCode("POLICY_STORE_READ"));
    await Deno.rename(path, `${folder}/other`);
    await Deno.symlink(`${folder}/other`, path);
    await assert.rejects(file.read(), hasCode("POLICY_STORE_READ"));
  }));

Deno.test("PolicyFile says what it cannot do", () =>
  withFolder(async (folder, path) => {
    const file = new PolicyFile(folder);
    await Deno.mkdir(path, { recursive: true });
    await Deno.writeTextFile(`${path}/x`, "");
    await assert.rejects(file.write("x"), hasCode("POLICY_STORE_WRITE"));
    await assert.rejects(file.clear(), hasCode("POLICY_STORE_WRITE"));
  }));
