import assert from "node:assert/strict";
import {
  ANCHOR_FILE_NAME,
  AUDIT_FILE_NAME,
  type Finding,
  readWitness,
  type VerifyReport,
} from "../../../../src/agent/audit/mod.ts";
import { ChainStand } from "./chain_stand.ts";
import { makeDenial } from "./entries.ts";

/** A log of some files, closed in order. */
function test(
  name: string,
  body: (stand: ChainStand) => void | Promise<void>,
  options: { readonly records?: number; readonly maxBytes?: number } = {},
): void {
  Deno.test(name, () =>
    ChainStand.with(async (stand) => {
      const trail = stand.start(
        options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes },
      );
      for (let i = 0; i < (options.records ?? 8); i++) {
        trail.record(makeDenial({ requestId: i }));
        stand.clock.tick(1000);
      }
      await trail.close();
      await body(stand);
    }));
}

const brief = (findings: readonly Finding[]) =>
  findings.map(({ kind, line, seq }) => [kind, line, seq]);

test("verifyLog() says what an intact log holds", async (stand) => {
  const report = await stand.verify();
  assert.equal(report.isIntact, true);
  assert.equal(report.records, 9);
  assert.equal(report.first?.seq, 1);
  assert.deepEqual(report.last, {
    seq: 9,
    hash: JSON.parse(stand.lines()[8]!.slice(34)).hash,
  });
  assert.deepEqual(report.files, [{ path: stand.path(AUDIT_FILE_NAME), lines: 9 }]);
  assert.deepEqual(report.witnesses.map(({ seq }) => seq), [9]);
});

test("verifyLog() finds a changed record, wherever the change is", async (stand) => {
  const lines = stand.lines();
  const changes: [string, string][] = [
    ["2026-", "2027-"],
    ["[INFO]", "[WARN]"],
    ['"method":"GET"', '"method":"PUT"'],
    ['"seq":5', '"seq":6'],
    ['"prevHash":"', '"prevHash":"0'],
  ];
  for (const [from, to] of changes) {
    const changed = lines[4]!.replace(from, to);
    stand.writeLines(lines.with(4, changed.replace(/"prevHash":"0(.{63})./, '"prevHash":"0$1')));
    const [first, ...others] = (await stand.verify()).findings;
    assert.deepEqual([first?.kind, first?.line, first?.seq], ["changed", 5, 5], to);
    assert.deepEqual(others, []);
  }
});

test("verifyLog() finds a changed hash, and blames the record it stands in", async (stand) => {
  const lines = stand.lines();
  const hash = JSON.parse(lines[4]!.slice(34)).hash as string;
  const other = (hash[0] === "0" ? "1" : "0") + hash.slice(1);
  stand.writeLines(lines.with(4, lines[4]!.replace(`"hash":"${hash}`, `"hash":"${other}`)));
  const { findings } = await stand.verify();
  assert.deepEqual(brief(findings), [["changed", 5, 5]]);
  assert.equal(findings[0]?.expected, `hash ${other}, as the record says`);
  assert.equal(findings[0]?.found, `hash ${hash}`);
});

test("verifyLog() finds a record that was changed and sealed anew by what follows it", async (stand) => {
  const lines = stand.lines();
  const { sealInto } = await import("../../../../src/agent/audit/seal.ts");
  const before = JSON.parse(lines[3]!.slice(34)) as { seq: number; hash: string };
  const text = lines[4]!.replace(/,"seq".*$/, "}").replace("GET", "PUT");
  const bytes = new Uint8Array(4096);
  const forged = bytes.subarray(0, sealInto(text, before, bytes).length);
  stand.writeLines(lines.with(4, new TextDecoder().decode(forged)));
  assert.deepEqual(brief((await stand.verify()).findings), [["unlinked", 6, 6]]);
});

test("verifyLog() finds a line without a seal and does not blame its neighbours", async (stand) => {
  const lines = stand.lines();
  stand.writeLines(lines.with(4, lines[4]!.replace('"hash"', '"Hash"')));
  assert.deepEqual(brief((await stand.verify()).findings), [["not-a-record", 5, 5]]);
  stand.writeLines(lines.toSpliced(4, 0, "put in"));
  assert.deepEqual(brief((await stand.verify()).findings), [["not-a-record", 5, 5]]);
  stand.writeLines([...lines, "put at the end"]);
  assert.deepEqual(brief((await stand.verify()).findings), [["not-a-record", 10, 10]]);
});

test("verifyLog() finds records that were taken out", async (stand) => {
  const lines = stand.lines();
  stand.writeLines(lines.toSpliced(4, 1));
  const { findings } = await stand.verify();
  assert.deepEqual(brief(findings), [["missing", 5, 5]]);
  assert.equal(findings[0]?.expected, "seq 5");
  assert.equal(findings[0]?.found, "seq 6");
  stand.writeLines(lines.toSpliced(4, 3));
  assert.equal((await stand.verify()).findings[0]?.expected, "seq 5 to 7");
});

test("verifyLog() finds records that were taken from the beginning", async (stand) => {
  stand.writeLines(stand.lines().slice(2));
  const { findings } = await stand.verify();
  assert.equal(findings[0]?.kind, "beginning-missing");
  assert.equal(findings[0]?.line, 1);
  stand.dropAnchor();
  assert.equal((await stand.verify()).findings[0]?.kind, "beginning-missing");
  const files = [stand.path(AUDIT_FILE_NAME)];
  assert.equal((await stand.verify({ log: { files } })).isIntact, false);
});

test("verifyLog() finds records that were taken from the end, by the anchor", async (stand) => {
  stand.writeLines(stand.lines().slice(0, 6));
  const { findings } = await stand.verify();
  assert.equal(findings[0]?.kind, "end-missing");
  assert.equal(findings[0]?.line, 0);
  assert.equal(findings[0]?.seq, 7);
  assert.match(findings[0]?.expected ?? "", /^records up to seq 9, as .*anchor\.json says$/);
  assert.equal(findings[0]?.found, "seq 6 as the last one");
});

test("verifyLog() finds an empty and a missing log, by the anchor", async (stand) => {
  Deno.writeTextFileSync(stand.path(AUDIT_FILE_NAME), "");
  assert.equal((await stand.verify()).findings[0]?.found, "no record");
  Deno.removeSync(stand.path(AUDIT_FILE_NAME));
  assert.equal((await stand.verify()).findings[0]?.kind, "end-missing");
});

test("verifyLog() finds records that changed places or stand there twice", async (stand) => {
  const lines = stand.lines();
  stand.writeLines(lines.with(4, lines[5]!).with(5, lines[4]!));
  assert.deepEqual(brief((await stand.verify()).findings), [
    ["missing", 5, 5],
    ["out-of-order", 6, 5],
  ]);
  stand.writeLines(lines.toSpliced(5, 0, lines[4]!));
  assert.deepEqual(brief((await stand.verify()).findings), [["out-of-order", 6, 5]]);
});

test("verifyLog() finds that a line feed was put in or taken away", async (stand) => {
  const lines = stand.lines();
  stand.writeLines(lines.toSpliced(4, 2, lines[4]! + lines[5]!));
  assert.deepEqual(brief((await stand.verify()).findings), [["changed", 5, 5]]);
  stand.writeLines(lines.toSpliced(4, 1, lines[4]!.slice(0, 90), lines[4]!.slice(90)));
  assert.deepEqual(brief((await stand.verify()).findings), [
    ["not-a-record", 5, 5],
    ["changed", 6, 5],
  ]);
});

test("verifyLog() finds that what a crash left was taken away", async (stand) => {
  Deno.writeTextFileSync(stand.path(AUDIT_FILE_NAME), "half a li", { append: true });
  const trail = stand.start();
  trail.record(makeDenial());
  await trail.close();
  const lines = stand.lines();
  assert.equal((await stand.verify()).isIntact, true);
  stand.writeLines(lines.toSpliced(9, 1));
  assert.deepEqual(brief((await stand.verify()).findings), [["missing", 10, 10]]);
  stand.writeLines(lines.with(9, "half a lie"));
  assert.deepEqual(brief((await stand.verify()).findings), [["not-a-record", 10, 10]]);
});

test("verifyLog() finds a file that is gone, first, middle or last", async (stand) => {
  const names = stand.logNames();
  assert.equal(names.length, 5);
  const expected = ["beginning-missing", "missing", "missing", "missing", "end-missing"];
  for (const [at, name] of names.entries()) {
    Deno.renameSync(stand.path(name), stand.path("away"));
    const report = await stand.verify();
    assert.equal(report.findings[0]?.kind, expected[at], name);
    Deno.renameSync(stand.path("away"), stand.path(name));
  }
  assert.equal((await stand.verify()).isIntact, true);
}, { records: 60, maxBytes: 4000 });

test(
  "verifyLog() takes files of a log in any order, and asks only for what is between them",
  async (stand) => {
    const files = stand.logNames().map((name) => stand.path(name));
    const shuffled = [files[2]!, files[4]!, files[3]!, files[3]!];
    const report = await stand.verify({ log: { files: shuffled } });
    assert.deepEqual(report.findings, []);
    assert.deepEqual(report.files.map(({ path }) => path), files.slice(2));
    const holed = await stand.verify({ log: { files: [files[1]!, files[3]!] } });
    assert.deepEqual(holed.findings.map(({ kind }) => kind), ["missing"]);
    const wanted = await stand.verify({ log: { files: [files[3]!] }, fromSeq: 2 });
    assert.equal(wanted.findings[0]?.kind, "beginning-missing");
    assert.equal(wanted.findings[0]?.seq, 2);
    const first = report.first?.seq ?? 0;
    assert.deepEqual(
      (await stand.verify({ log: { files: shuffled }, fromSeq: first })).findings,
      [],
    );
  },
  { records: 60, maxBytes: 4000 },
);

test("verifyLog() compares with records that were noted elsewhere", async (stand) => {
  const records = stand.records();
  const witness = (seq: number, hash?: string) => ({
    seq,
    hash: hash ?? records[seq - 1]?.["hash"] as string,
    from: "elsewhere",
  });
  const verify = (seq: number, hash?: string): Promise<VerifyReport> =>
    stand.verify({ witnesses: [witness(seq, hash)] });
  assert.equal((await verify(4)).isIntact, true);
  const other = await verify(4, "f".repeat(64));
  assert.deepEqual(brief(other.findings), [["anchor", 0, 4]]);
  const beyond = await verify(12, "f".repeat(64));
  assert.deepEqual(brief(beyond.findings), [["end-missing", 0, 10]]);
});

test(
  "verifyLog() compares with a noted record right before the first file, and says when it is further back",
  async (stand) => {
    const files = stand.logNames().map((name) => stand.path(name));
    const before = stand.records(stand.logNames()[1]).at(-1)! as unknown as {
      seq: number;
      hash: string;
    };
    const verify = (seq: number, hash: string) =>
      stand.verify({ log: { files: files.slice(2) }, witnesses: [{ seq, hash, from: "x" }] });
    assert.equal((await verify(before.seq, before.hash)).isIntact, true);
    assert.equal((await verify(before.seq, "f".repeat(64))).findings[0]?.kind, "anchor");
    const older = await verify(before.seq - 1, "f".repeat(64));
    assert.equal(older.isIntact, true);
    assert.match(older.remarks[0]?.text ?? "", /is not among the records/);
  },
  { records: 60, maxBytes: 4000 },
);

test("readWitness() reads an anchor and a status document, and nothing else", async (stand) => {
  const path = stand.path("status.json");
  const anchor = JSON.parse(Deno.readTextFileSync(stand.path(ANCHOR_FILE_NAME)));
  Deno.writeTextFileSync(path, JSON.stringify({ timestamp: "", auditLog: anchor }));
  assert.deepEqual(readWitness(path), { seq: 9, hash: anchor.hash, from: path });
  assert.equal(readWitness(stand.path(ANCHOR_FILE_NAME))?.seq, 9);
  stand.dropAnchor();
  stand.writeLines(stand.lines().slice(0, 5));
  assert.equal((await stand.verify()).isIntact, true);
  const report = await stand.verify({ statusFiles: [path] });
  assert.deepEqual(brief(report.findings), [["end-missing", 0, 6]]);
  for (const text of ["", "[]", "null", "{}"]) {
    Deno.writeTextFileSync(path, text);
    assert.equal(readWitness(path), null);
  }
  assert.equal(readWitness(stand.path("none")), null);
  assert.equal((await stand.verify({ statusFiles: [path] })).isIntact, true);
});

test("verifyLog() tells a bounded number of findings", async (stand) => {
  const lines = stand.lines();
  const many: string[] = [];
  for (let i = 0; i < 500; i++) many.push("junk", lines[i % 9]!);
  stand.writeLines(many);
  const report = await stand.verify();
  assert.equal(report.findings.length, 200);
  assert.ok(report.moreFindings > 200);
});

test("verifyLog() reads lines that are absurdly long", async (stand) => {
  stand.writeLines([...stand.lines(), "x".repeat(3_000_000)]);
  assert.deepEqual(brief((await stand.verify()).findings), [["not-a-record", 10, 10]]);
});

test("verifyLog() fails where there is nothing to read", async (stand) => {
  await assert.rejects(stand.verify({ log: { folder: stand.path("none") } }));
  const files = [stand.path(AUDIT_FILE_NAME), stand.path("none")];
  await assert.rejects(stand.verify({ log: { files } }), Deno.errors.NotFound);
});

Deno.test("verifyLog() finds nothing while an agent writes and turns its files over", () =>
  ChainStand.with(async (stand) => {
    const trail = stand.start({ maxBytes: 20_000 });
    let isDone = false;
    const writing = (async () => {
      for (let i = 0; i < 400; i++) {
        trail.record(makeDenial({ requestId: i }));
        stand.clock.tick(1);
        if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
        if (i % 50 === 0) await trail.keepAnchor();
      }
      isDone = true;
    })();
    let rounds = 0;
    while (!isDone) {
      assert.deepEqual((await stand.verify()).findings, []);
      rounds++;
    }
    await writing;
    assert.ok(rounds > 3, `${rounds}`);
  }));
