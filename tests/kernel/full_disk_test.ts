import assert from "node:assert/strict";
import { AUDIT_FILE_NAME, FileAuditTrail, verifyLog } from "../../src/agent/audit/mod.ts";
import { describeFileError, replaceFile } from "../../src/runtime/files.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MemoryLogger } from "../fakes/memory_logger.ts";
import { makeDenial } from "../unit/agent/audit/entries.ts";

/** A file system of 64 KiB of its own. */
async function onSmallDisk(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await run("mount", "-t", "tmpfs", "-o", "size=64k,mode=0750", "tmpfs", folder);
  try {
    await body(folder);
  } finally {
    await run("umount", folder);
    await Deno.remove(folder);
  }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(command, { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

function fill(folder: string): void {
  const file = Deno.openSync(`${folder}/ballast`, { write: true, create: true });
  try {
    for (;;) file.writeSync(new Uint8Array(512));
  } catch (error) {
    assert.match(describeFileError(error), /^ENOSPC: /);
  } finally {
    file.close();
  }
}

Deno.test("FileAuditTrail.record() survives a full disk, counts what it lost, and writes whole lines again", () =>
  onSmallDisk(async (folder) => {
    const clock = new FakeClock();
    const logger = new MemoryLogger();
    const trail = new FileAuditTrail({ clock, folder, redact: (text) => text, logger });
    trail.record(makeDenial({ requestId: 1 }));
    fill(folder);
    const lost = 40;
    for (let i = 0; i < lost; i++) trail.record(makeDenial({ requestId: 100 + i }));
    assert.match(trail.trouble ?? "", /^ENOSPC: /);
    assert.deepEqual(logger.texts("error"), ["audit log cannot be written"]);
    Deno.removeSync(`${folder}/ballast`);
    clock.tick(1000);
    trail.record(makeDenial({ requestId: 2 }));
    await trail.close();
    assert.equal(trail.trouble, null);
    const records = [];
    let torn = 0;
    for (const line of Deno.readTextFileSync(`${folder}/${AUDIT_FILE_NAME}`).trim().split("\n")) {
      // The line that met the end of the disk may stand there in part; the next one begins on a line of its own.
      try {
        records.push(JSON.parse(line.slice(34)));
      } catch {
        torn++;
      }
    }
    assert.ok(torn <= 1);
    const written = records.filter((record) => record.id >= 100).length;
    const notice = records.find((record) => record.notice === "lost");
    assert.equal(notice.count + written, lost);
    assert.match(notice.cause, /^ENOSPC: /);
    assert.equal(records.at(-1).count ?? 0, lost - written, "the counts say what has no record");
    const log = { folder };
    const report = await verifyLog({ log, statusFiles: [], witnesses: [], fromSeq: null });
    assert.deepEqual(report.findings, []);
    assert.equal(report.remarks.length, torn);
    assert.equal(report.witnesses.length, 1);
  }));

Deno.test("replaceFile() on a full disk keeps the old file and leaves no sibling", () =>
  onSmallDisk(async (folder) => {
    await Deno.writeTextFile(`${folder}/status.json`, "old");
    fill(folder);
    const write = replaceFile(
      `${folder}/status.json`,
      `${folder}/status.tmp`,
      new Uint8Array(32 * 1024),
      0o640,
    );
    await assert.rejects(write, (error) => describeFileError(error).startsWith("ENOSPC"));
    assert.equal(await Deno.readTextFile(`${folder}/status.json`), "old");
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["ballast", "status.json"]);
  }));
