import assert from "node:assert/strict";
import { parseAnchor, readAnchor, writeAnchor } from "../../../../src/agent/audit/anchor.ts";
import { ANCHOR_FILE_NAME } from "../../../../src/agent/audit/mod.ts";

const ANCHOR = { seq: 9, hash: "ab".repeat(32), keptFromSeq: 3 };

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("writeAnchor() replaces the anchor that readAnchor() reads, closed to others", () =>
  inFolder(async (folder) => {
    assert.equal(readAnchor(`${folder}/${ANCHOR_FILE_NAME}`), null);
    assert.equal(await writeAnchor(folder, { ...ANCHOR, seq: 1 }), null);
    assert.equal(await writeAnchor(folder, ANCHOR), null);
    assert.deepEqual(readAnchor(`${folder}/${ANCHOR_FILE_NAME}`), ANCHOR);
    assert.equal((Deno.statSync(`${folder}/${ANCHOR_FILE_NAME}`).mode ?? 0) & 0o777, 0o640);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), [ANCHOR_FILE_NAME]);
  }));

Deno.test("writeAnchor() says what went wrong", () =>
  inFolder(async (folder) => {
    assert.match(await writeAnchor(`${folder}/none`, ANCHOR) ?? "", /No such file|ENOENT/);
  }));

Deno.test("readAnchor() takes nothing else for an anchor", () =>
  inFolder((folder) => {
    const path = `${folder}/a`;
    for (const text of ["", "{", "[]", "null", "5", '{"seq":1}', " ".repeat(9000)]) {
      Deno.writeTextFileSync(path, text);
      assert.equal(readAnchor(path), "unreadable", text);
    }
    Deno.writeTextFileSync(path, JSON.stringify(ANCHOR));
    Deno.symlinkSync(path, `${folder}/link`);
    assert.equal(readAnchor(`${folder}/link`), "unreadable");
    assert.equal(readAnchor(folder), "unreadable");
    return Promise.resolve();
  }));

Deno.test("parseAnchor() wants whole numbers from 1 and 64 hex digits", () => {
  assert.deepEqual(parseAnchor(JSON.stringify({ ...ANCHOR, more: true })), ANCHOR);
  for (
    const wrong of [
      { seq: 0 },
      { seq: 1.5 },
      { seq: "9" },
      { keptFromSeq: 0 },
      { hash: "ab" },
      { hash: "AB".repeat(32) },
      { hash: 5 },
    ]
  ) assert.equal(parseAnchor(JSON.stringify({ ...ANCHOR, ...wrong })), null, JSON.stringify(wrong));
});
