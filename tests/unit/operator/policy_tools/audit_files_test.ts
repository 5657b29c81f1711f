import assert from "node:assert/strict";
import { readAuditFiles } from "../../../../src/operator/policy_tools/audit_files.ts";
import { auditLine, sourceOf, summaryLine, withFolder } from "./samples.ts";

Deno.test("readAuditFiles() hands over every line of every file, and counts what is none", () =>
  withFolder(async (folder) => {
    const first = `${folder}/first`;
    Deno.writeTextFileSync(first, `${auditLine()}\n\nbroken\n${summaryLine()}\n`);
    const kinds: string[] = [];
    const read = await readAuditFiles(
      [first, "-"],
      sourceOf(`${auditLine()}\n{"x"\n{"notice":"lost"}\n`),
      ({ kind }) => kinds.push(kind),
    );
    assert.deepEqual(read, {
      ok: true,
      value: {
        lines: 6,
        broken: 2,
        firstBroken: `${first}:3: the line holds no JSON object`,
      },
    });
    assert.deepEqual(kinds, ["request", "broken", "repeated", "request", "broken", "other"]);
  }));

Deno.test("readAuditFiles() names a file that cannot be read", async () => {
  const read = await readAuditFiles(["/no/such"], sourceOf(""), () => {});
  assert.match(read.ok ? "" : read.error, /^`\/no\/such` cannot be read: ENOENT/);
});

Deno.test("readAuditFiles() passes over a line that is longer than any record", async () => {
  let broken = 0;
  const read = await readAuditFiles(
    ["-"],
    sourceOf(`{"x":"${"y".repeat(300_000)}"}\n${auditLine()}\n`, 65_536),
    ({ kind }) => broken += kind === "broken" ? 1 : 0,
  );
  assert.ok(read.ok && read.value.lines === 2);
  assert.equal(broken, 1);
});
