import assert from "node:assert/strict";
import { TagFiles } from "../../../../src/agent/provision/mod.ts";
import type { AgentError } from "../../../../src/runtime/errors.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";

async function withFolder(play: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await play(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("write() leaves a time and an empty status for success", () =>
  withFolder(async (folder) => {
    await new TagFiles(folder, new FakeClock()).write("");
    assert.equal(await Deno.readTextFile(`${folder}/provisioned.tag`), "2026-01-06T07:08:09.123");
    assert.equal(await Deno.readTextFile(`${folder}/status.tag`), "");
    for (const name of ["provisioned.tag", "status.tag"]) {
      assert.equal((await Deno.stat(`${folder}/${name}`)).mode! & 0o777, 0o600);
    }
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
    assert.deepEqual(names, ["provisioned.tag", "status.tag"]);
  }));

Deno.test("write() escapes the text of a failure, ampersands first", () =>
  withFolder(async (folder) => {
    await new TagFiles(folder, new FakeClock()).write(`keyLatchStatus - <a> & "b" 'c' &lt;\r\n`);
    assert.equal(
      await Deno.readTextFile(`${folder}/status.tag`),
      "keyLatchStatus - &lt;a&gt; &amp; &quot;b&quot; &apos;c&apos; &amp;lt;\r\n",
    );
  }));

Deno.test("write() replaces what was there, links included, and follows none", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/elsewhere`, "untouched");
    await Deno.symlink(`${folder}/elsewhere`, `${folder}/status.tag`);
    const tags = new TagFiles(folder, new FakeClock());
    await tags.write("old");
    await tags.write("new");
    assert.equal(await Deno.readTextFile(`${folder}/status.tag`), "new");
    assert.equal((await Deno.lstat(`${folder}/status.tag`)).isFile, true);
    assert.equal(await Deno.readTextFile(`${folder}/elsewhere`), "untouched");
  }));

Deno.test("write() says which file it could not write", async () => {
  const tags = new TagFiles("/nonexistent/folder", new FakeClock());
  await assert.rejects(tags.write(""), (error: AgentError) => {
    assert.equal(error.code, "FILE_WRITE");
    assert.ok(error.message.includes("/nonexistent/folder/provisioned.tag"));
    return true;
  });
});

Deno.test("write() keeps status.tag a text that XML can hold", () =>
  withFolder(async (folder) => {
    await new TagFiles(folder, new FakeClock()).write("keyLatchStatus - \x1b[1m\0\ud800\r\n");
    const text = await Deno.readTextFile(`${folder}/status.tag`);
    assert.equal(text, "keyLatchStatus - \ufffd[1m\ufffd\ufffd\r\n");
  }));

Deno.test("remove() takes both files away, and finds it right that there are none", () =>
  withFolder(async (folder) => {
    const tags = new TagFiles(folder, new FakeClock());
    await tags.remove();
    await tags.write("");
    await Deno.writeTextFile(`${folder}/other`, "");
    await tags.remove();
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["other"]);
    await Deno.mkdir(`${folder}/status.tag/full`, { recursive: true });
    await assert.rejects(tags.remove(), (error: AgentError) => {
      assert.equal(error.code, "FILE_WRITE");
      assert.match(error.message, /^remove `.*\/status\.tag`: /);
      return true;
    });
  }));
