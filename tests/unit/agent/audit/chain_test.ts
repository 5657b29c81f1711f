import assert from "node:assert/strict";
import { Chain } from "../../../../src/agent/audit/chain.ts";
import { ANCHOR_FILE_NAME, AUDIT_FILE_NAME } from "../../../../src/agent/audit/mod.ts";
import { ChainStand } from "./chain_stand.ts";
import { makeDenial, makeEntry } from "./entries.ts";

const test = (name: string, body: (stand: ChainStand) => void | Promise<void>) =>
  Deno.test(name, () => ChainStand.with(body));

function deny(trail: { record(entry: ReturnType<typeof makeDenial>): unknown }, count: number) {
  for (let i = 0; i < count; i++) trail.record(makeDenial({ requestId: i }));
}

const chainRecords = (stand: ChainStand, name?: string) =>
  stand.records(name).filter((record) => record["notice"] === "chain");

test("Chain begins with a record about itself and numbers every line behind it", async (stand) => {
  const trail = stand.start();
  deny(trail, 2);
  trail.record(makeEntry());
  trail.record(makeEntry());
  await trail.close();
  const records = stand.records();
  assert.deepEqual(records.map(({ seq }) => seq), [1, 2, 3, 4, 5]);
  assert.equal(records[0]?.["notice"], "chain");
  assert.equal(records[0]?.["why"], "new");
  assert.equal(records[0]?.["prevHash"], "0".repeat(64));
  for (let i = 1; i < records.length; i++) {
    assert.equal(records[i]?.["prevHash"], records[i - 1]?.["hash"]);
  }
  assert.deepEqual(Object.keys(records[1] ?? {}).slice(-3), ["seq", "prevHash", "hash"]);
});

test("Chain continues where the last agent ended", async (stand) => {
  for (let start = 0; start < 3; start++) {
    const trail = stand.start();
    deny(trail, 2);
    await trail.close();
  }
  assert.deepEqual(stand.records().map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(chainRecords(stand).map(({ why }) => why), ["new", "started", "started"]);
  const report = await stand.verify();
  assert.deepEqual(report.findings, []);
  assert.equal(report.records, 9);
});

test("Chain continues over files, and notes what was deleted to make room", async (stand) => {
  const trail = stand.start({ maxBytes: 4000 });
  for (let i = 0; i < 60; i++) {
    deny(trail, 1);
    stand.clock.tick(1000);
  }
  await trail.close();
  assert.equal(stand.logNames().length, 5);
  const [newest] = chainRecords(stand);
  assert.equal(newest?.["why"], "rotated");
  const first = stand.records(stand.logNames()[0])[0];
  assert.equal(first?.["notice"], "chain");
  assert.equal(newest?.["keptFromSeq"], first?.["seq"]);
  assert.ok(Number(first?.["seq"]) > 1);
  const report = await stand.verify();
  assert.deepEqual(report.findings, []);
  assert.equal(report.first?.seq, first?.["seq"]);
});

test("Chain notes what a crash left of a record, and goes on", async (stand) => {
  const trail = stand.start();
  deny(trail, 3);
  stand.crash();
  const whole = stand.read();
  Deno.writeFileSync(stand.path(AUDIT_FILE_NAME), whole.subarray(0, whole.length - 100));
  const report = await stand.verify();
  assert.equal(report.isIntact, false);
  assert.equal(report.findings[0]?.kind, "unfinished");
  assert.equal(report.findings[0]?.line, 4);
  const next = stand.start();
  deny(next, 1);
  await next.close();
  const after = await stand.verify();
  assert.deepEqual(after.findings, []);
  assert.equal(after.remarks.length, 1);
  assert.equal(after.remarks[0]?.line, 4);
  assert.match(after.remarks[0]?.text ?? "", /not finished, as seq 4 tells/);
});

test("Chain goes on behind a first record that was torn", async (stand) => {
  stand.start();
  stand.crash();
  Deno.writeFileSync(stand.path(AUDIT_FILE_NAME), stand.read().subarray(0, 60));
  deny(stand.start(), 2);
  const report = await stand.verify();
  assert.deepEqual(report.findings, []);
  assert.equal(report.records, 3);
});

test("Chain goes on when the agent ended between putting a file aside and making the next", async (stand) => {
  const trail = stand.start();
  deny(trail, 3);
  await trail.close();
  const aside = `${AUDIT_FILE_NAME}.2026-01-06T07.08.09.123-1767683289123000000.log`;
  Deno.renameSync(stand.path(AUDIT_FILE_NAME), stand.path(aside));
  deny(stand.start(), 1);
  assert.equal(stand.records()[0]?.["seq"], 5);
  assert.deepEqual((await stand.verify()).findings, []);
});

test("Chain goes on when the first record of a new file was torn", async (stand) => {
  const trail = stand.start();
  deny(trail, 3);
  await trail.close();
  const aside = `${AUDIT_FILE_NAME}.2026-01-06T07.08.09.123-1767683289123000000.log`;
  Deno.renameSync(stand.path(AUDIT_FILE_NAME), stand.path(aside));
  Deno.writeTextFileSync(stand.path(AUDIT_FILE_NAME), "2026-01-06T07:08:09.123 [WARN]    {");
  deny(stand.start(), 1);
  const report = await stand.verify();
  assert.deepEqual(report.findings, []);
  assert.equal(report.remarks.length, 1);
  assert.deepEqual(stand.logger.texts("error"), []);
});

test("Chain notices at its start that the log was shortened", async (stand) => {
  const trail = stand.start();
  deny(trail, 5);
  await trail.close();
  stand.writeLines(stand.lines().slice(0, 3));
  deny(stand.start(), 1);
  assert.deepEqual(stand.logger.texts("error"), ["audit log is not as it was written"]);
  const noted = chainRecords(stand).at(-1);
  assert.equal(noted?.["damage"], "shortened");
  assert.equal(noted?.["expectedSeq"], 6);
  const { findings } = await stand.verify();
  assert.deepEqual(findings.map(({ kind, line, seq }) => [kind, line, seq]), [
    ["missing", 4, 4],
    ["noted", 4, 7],
  ]);
});

test("Chain notices at its start that the last record was changed or the whole log replaced", async (stand) => {
  const trail = stand.start();
  deny(trail, 2);
  await trail.close();
  const lines = stand.lines();
  stand.writeLines([...lines.slice(0, 2), lines[2]!.replace('"method":"GET"', '"method":"PUT"')]);
  await stand.start().close();
  assert.equal(chainRecords(stand).at(-1)?.["damage"], "shortened");
  const { findings } = await stand.verify();
  assert.equal(findings[0]?.kind, "changed");
  assert.equal(findings[0]?.line, 3);
});

test("Chain notices at its start that the log was written anew", async (stand) => {
  const other = await Deno.makeTempDir();
  const forger = stand.start({ folder: other });
  deny(forger, 9);
  await forger.close();
  const trail = stand.start();
  deny(trail, 2);
  await trail.close();
  Deno.copyFileSync(`${other}/${AUDIT_FILE_NAME}`, stand.path(AUDIT_FILE_NAME));
  await Deno.remove(other, { recursive: true });
  assert.equal((await stand.verify()).findings[0]?.kind, "anchor", "the anchor is of the old one");
  await stand.start().close();
  assert.equal(chainRecords(stand).at(-1)?.["damage"], "altered");
  assert.equal((await stand.verify()).isIntact, false);
});

test("Chain notices that the log is gone, and that the anchor is none", async (stand) => {
  const trail = stand.start();
  deny(trail, 2);
  await trail.close();
  Deno.removeSync(stand.path(AUDIT_FILE_NAME));
  await stand.start().close();
  assert.equal(chainRecords(stand)[0]?.["damage"], "missing");
  assert.equal(stand.records()[0]?.["seq"], 4);
  assert.equal((await stand.verify()).findings[0]?.kind, "noted");
  Deno.writeTextFileSync(stand.path(ANCHOR_FILE_NAME), "{}");
  assert.equal((await stand.verify()).findings[0]?.kind, "anchor");
  await stand.start().close();
  assert.equal(chainRecords(stand).at(-1)?.["damage"], "anchor-unreadable");
});

test("Chain answers for no lines that somebody put at the end while no agent ran", async (stand) => {
  const trail = stand.start();
  deny(trail, 1);
  await trail.close();
  Deno.writeTextFileSync(stand.path(AUDIT_FILE_NAME), "alien\n".repeat(100), { append: true });
  await stand.start().close();
  assert.equal(chainRecords(stand).at(-1)?.["damage"], "altered");
  const { findings } = await stand.verify();
  assert.deepEqual(findings.map(({ kind }) => kind), ["not-a-record", "noted"]);
});

test("Chain keeps its place while the file cannot be written", async (stand) => {
  const folder = `${stand.folder}/logs`;
  Deno.writeTextFileSync(folder, "in the way");
  const trail = stand.start({ folder });
  deny(trail, 3);
  Deno.removeSync(folder);
  stand.clock.tick(1000);
  deny(trail, 2);
  await trail.close();
  const report = await stand.verify({ log: { folder } });
  assert.deepEqual(report.findings, []);
  assert.equal(report.records, 5, "chain, lost, the last two, and the count of the first three");
});

test("Chain goes on in a new file when its file was moved away, and both parts fit", async (stand) => {
  const trail = stand.start();
  deny(trail, 2);
  Deno.renameSync(stand.path(AUDIT_FILE_NAME), stand.path("moved"));
  stand.clock.tick(1000);
  deny(trail, 2);
  await trail.close();
  assert.equal(chainRecords(stand)[0]?.["why"], "resumed");
  const alone = await stand.verify();
  assert.equal(alone.findings[0]?.kind, "beginning-missing");
  assert.equal(alone.findings[0]?.expected, "seq 1 to 3");
  const files = [stand.path(AUDIT_FILE_NAME), stand.path("moved")];
  const both = await stand.verify({ log: { files } });
  assert.deepEqual(both.findings, []);
});

test("Chain notices that somebody writes into its file or cuts it while the agent runs", async (stand) => {
  const trail = stand.start();
  deny(trail, 3);
  stand.writeLines(stand.lines().slice(0, 2));
  stand.clock.tick(1000);
  deny(trail, 1);
  assert.equal(chainRecords(stand).at(-1)?.["damage"], "shortened");
  const lines = stand.lines();
  stand.writeLines([...lines.slice(0, -1), lines.at(-1)!.replace("deny", "DENY")]);
  stand.clock.tick(1000);
  deny(trail, 1);
  await trail.close();
  assert.deepEqual(
    (await stand.verify()).findings.map(({ kind }) => kind),
    ["missing", "noted", "changed"],
  );
});

test("a second agent cannot write to the same log", async (stand) => {
  const trail = stand.start();
  const second = stand.start();
  assert.match(second.trouble ?? "", /Another process writes the file/);
  deny(second, 1);
  deny(trail, 1);
  await trail.close();
  assert.deepEqual((await stand.verify()).findings, []);
  stand.clock.tick(1000);
  deny(second, 1);
  assert.equal(second.trouble, null, "it takes over when the first one has ended");
  await second.close();
  assert.deepEqual((await stand.verify()).findings, []);
});

test("Chain begins behind a log that has none", async (stand) => {
  Deno.writeTextFileSync(stand.path(AUDIT_FILE_NAME), "old line\n".repeat(1000));
  const trail = stand.start();
  deny(trail, 1);
  await trail.close();
  const report = await stand.verify();
  assert.deepEqual(report.findings, []);
  assert.equal(report.remarks[0]?.text, "1000 lines from before the chain began");
});

test("Chain without an anchor keeps what its files still have", async (stand) => {
  const trail = stand.start({ maxBytes: 4000 });
  for (let i = 0; i < 60; i++) {
    deny(trail, 1);
    stand.clock.tick(1000);
  }
  await trail.close();
  stand.dropAnchor();
  await stand.start({ maxBytes: 4000 }).close();
  const report = await stand.verify();
  assert.deepEqual(report.findings, []);
});

test("FileAuditTrail.keepAnchor() notes the last record, and not before there is one", async (stand) => {
  const trail = stand.start();
  assert.equal(trail.anchor, null);
  deny(trail, 2);
  await Promise.all([trail.keepAnchor(), trail.keepAnchor()]);
  const last = stand.records().at(-1);
  assert.deepEqual(trail.anchor, { seq: 3, hash: last?.["hash"], keptFromSeq: 1 });
  const nowhere = stand.start({ folder: null });
  deny(nowhere, 1);
  await nowhere.keepAnchor();
  assert.equal(nowhere.anchor, null);
});

test("FileAuditTrail.keepAnchor() says once that the anchor cannot be written", async (stand) => {
  const trail = stand.start();
  Deno.mkdirSync(stand.path(`${ANCHOR_FILE_NAME}/x`), { recursive: true });
  for (let i = 0; i < 3; i++) {
    deny(trail, 1);
    await trail.keepAnchor();
  }
  assert.equal(trail.anchor, null);
  assert.deepEqual(stand.logger.texts("warn"), ["anchor of the audit log cannot be written"]);
});

test("Chain takes over a record of its own of which only the line feed was not written", (stand) => {
  const path = stand.path("log");
  const damages: string[] = [];
  const chain = new Chain({
    currentPath: path,
    asidePaths: () => [],
    readAnchor: () => null,
    noticeLine: (members) => `${" ".repeat(34)}${JSON.stringify(members)}`,
    onDamage: (damage) => damages.push(damage),
  });
  const bytes = new Uint8Array(4096);
  using file = Deno.openSync(path, { read: true, append: true, create: true });
  const put = (line: string, cut: number) => {
    const length = chain.encode(line, bytes);
    file.writeSync(bytes.subarray(0, length - cut));
    chain.settled(cut === 0 ? 1 : 0);
  };
  const [first = ""] = chain.opened(file, 0);
  put(first, 0);
  put(`${" ".repeat(34)}{"n":1}`, 1);
  assert.equal(chain.anchor?.seq, 1);
  assert.deepEqual(chain.opened(file, file.statSync().size), []);
  assert.equal(chain.anchor?.seq, 2);
  assert.deepEqual(damages, []);
});

test("Chain says what it found once, however often it can not be written", (stand) => {
  Deno.writeTextFileSync(stand.path(ANCHOR_FILE_NAME), "{}");
  const path = stand.path("log");
  const damages: string[] = [];
  const chain = new Chain({
    currentPath: path,
    asidePaths: () => {
      throw new Error("no folder");
    },
    readAnchor: () => "unreadable",
    noticeLine: (members) => `${" ".repeat(34)}${JSON.stringify(members)}`,
    onDamage: (damage) => damages.push(damage),
  });
  using file = Deno.openSync(path, { read: true, append: true, create: true });
  const bytes = new Uint8Array(4096);
  for (let i = 0; i < 3; i++) {
    const [line = ""] = chain.opened(file, 0);
    assert.equal(JSON.parse(line).why, "started");
    assert.equal(JSON.parse(line).damage, "anchor-unreadable");
    chain.encode(line, bytes);
    chain.settled(0);
  }
  assert.deepEqual(damages, ["anchor-unreadable"]);
});
