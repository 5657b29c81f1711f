import assert from "node:assert/strict";
import { ANCHOR_FILE_NAME, AUDIT_FILE_NAME } from "../../../src/agent/audit/mod.ts";
import { auditCommand, parseAuditArgs } from "../../../src/commands/audit.ts";
import { ChainStand } from "../agent/audit/chain_stand.ts";
import { makeDenial } from "../agent/audit/entries.ts";
import { FakeProcess, MemoryOutput } from "./fakes.ts";

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const output = new MemoryOutput();
  const code = await auditCommand(args, output, new FakeProcess());
  return { code, out: output.stdout, err: output.stderr };
}

/** A log of nine records. */
function withLog(body: (stand: ChainStand) => Promise<void>): Promise<void> {
  return ChainStand.with(async (stand) => {
    const trail = stand.start();
    for (let i = 0; i < 8; i++) trail.record(makeDenial({ requestId: i }));
    await trail.close();
    await body(stand);
  });
}

Deno.test("auditCommand() says that a log is intact and ends with 0", () =>
  withLog(async (stand) => {
    const { code, out, err } = await run("verify", "--folder", stand.folder);
    assert.equal(code, 0);
    assert.equal(err, "");
    const { hash } = stand.records()[8]!;
    assert.equal(
      out,
      `intact: 9 records, seq 1 to 9, in 1 files\n` +
        `  anchor: seq 9, from ${stand.path(ANCHOR_FILE_NAME)}\n` +
        `  last: 9:${hash}\n`,
    );
  }));

Deno.test("auditCommand() says where a log is broken, what it expected and found, and ends with 1", () =>
  withLog(async (stand) => {
    stand.writeLines(stand.lines().toSpliced(4, 1));
    stand.dropAnchor();
    const { code, out } = await run("verify", "--folder", stand.folder);
    assert.equal(code, 1);
    assert.deepEqual(out.split("\n").slice(0, 5), [
      "broken, 1 finding: 8 records, seq 1 to 9, in 1 files",
      `  ${stand.path(AUDIT_FILE_NAME)}:5: missing, seq 5`,
      "    expected seq 5",
      "    found    seq 6",
      "  no anchor: a log that was cut at its end looks intact",
    ]);
  }));

Deno.test("auditCommand() says the same as one JSON object", () =>
  withLog(async (stand) => {
    const intact = await run("verify", "--json", "--folder", stand.folder);
    const { hash } = stand.records()[8]!;
    assert.deepEqual(JSON.parse(intact.out), {
      verdict: "intact",
      records: 9,
      firstSeq: 1,
      lastSeq: 9,
      lastHash: hash,
      files: [{ path: stand.path(AUDIT_FILE_NAME), lines: 9 }],
      anchors: [{ seq: 9, hash, from: stand.path(ANCHOR_FILE_NAME) }],
      findings: [],
      moreFindings: 0,
      remarks: [],
    });
    stand.writeLines(stand.lines().slice(0, 7));
    const broken = await run("verify", "--json", "--folder", stand.folder);
    assert.equal(broken.code, 1);
    const report = JSON.parse(broken.out);
    assert.equal(report.verdict, "broken");
    assert.deepEqual([report.findings[0].kind, report.findings[0].seq], ["end-missing", 8]);
  }));

Deno.test("auditCommand() tells notes, more findings than it lists, and the end of a file", () =>
  withLog(async (stand) => {
    Deno.writeTextFileSync(stand.path(AUDIT_FILE_NAME), "half a li", { append: true });
    await stand.start().close();
    const noted = await run("verify", "--folder", stand.folder);
    assert.match(noted.out, /note: .*:10: 10 bytes of a record that was not finished/);
    const lines = stand.lines();
    stand.writeLines(Array.from({ length: 500 }, (_, i) => i % 2 ? "x" : lines[0]!));
    const many = await run("verify", "--folder", stand.folder);
    assert.match(many.out, /^broken, \d{3} findings: /);
    assert.match(many.out, /\n {2}and \d+ more\n/);
    assert.match(many.out, new RegExp(`\n {2}${stand.path(AUDIT_FILE_NAME)}:\\d+: `));
  }));

Deno.test("auditCommand() takes files and anchors from elsewhere", () =>
  withLog(async (stand) => {
    const file = stand.path(AUDIT_FILE_NAME);
    const { hash } = stand.records()[8]!;
    assert.equal((await run("verify", file, "--anchor", `9:${hash}`)).code, 0);
    assert.equal((await run("verify", file, "--anchor", `9:${"0".repeat(64)}`)).code, 1);
    assert.equal((await run("verify", file, "--anchor", stand.path(ANCHOR_FILE_NAME))).code, 0);
    assert.equal((await run("verify", file, "--from-seq", "1")).code, 0);
    stand.writeLines(stand.lines().slice(0, 5));
    assert.equal((await run("verify", file)).code, 0, "what is behind is not looked for");
    assert.equal((await run("verify", file, "--anchor", stand.path(ANCHOR_FILE_NAME))).code, 1);
    const none = await run("verify", file, "--anchor", "none");
    assert.equal(none.code, 2);
    assert.match(none.err, /`none` is neither SEQ:HASH nor a file that names a record/);
  }));

Deno.test("auditCommand() finds the folders in the configuration", () =>
  withLog(async (stand) => {
    const config = stand.path("config.json");
    const folders = { eventFolder: "/x", latchKeyFolder: "/x" };
    const write = (members: Record<string, unknown>) =>
      Deno.writeTextFileSync(config, JSON.stringify({ ...folders, ...members }));
    write({ logFolder: stand.folder });
    assert.equal((await run("verify", "--config", config)).code, 0);
    const status = stand.path("status.json");
    const auditLog = { seq: 12, hash: "0".repeat(64), keptFromSeq: 1 };
    Deno.writeTextFileSync(status, JSON.stringify({ auditLog }));
    const cut = await run("verify", "--config", config);
    assert.equal(cut.code, 1);
    assert.match(cut.out, /records up to seq 12, as .*status\.json says/);
    write({ logFolder: "" });
    assert.match((await run("verify", "--config", config)).err, /keeps no audit log/);
    Deno.writeTextFileSync(config, "{");
    assert.equal((await run("verify", "--config", config)).code, 2);
  }));

Deno.test("auditCommand() ends with 2 where nothing can be verified", () =>
  ChainStand.with(async (stand) => {
    const empty = await run("verify", "--folder", stand.folder);
    assert.equal(empty.code, 2);
    assert.match(empty.err, /There is no record of a chain in /);
    const missing = await run("verify", "--json", stand.path("none"));
    assert.equal(missing.code, 2);
    assert.equal(JSON.parse(missing.out).verdict, "error");
    assert.match(JSON.parse(missing.out).error, /^The log cannot be read: /);
    Deno.writeTextFileSync(stand.path("other"), "no record\n");
    assert.equal((await run("verify", stand.path("other"))).code, 1);
    Deno.writeTextFileSync(stand.path("other"), "");
    assert.match((await run("verify", stand.path("other"))).err, /no record of a chain in .*other/);
  }));

Deno.test("auditCommand() explains itself, and wrong usage", async () => {
  for (const args of [["--help"], ["verify", "-h"], ["help"]]) {
    const { code, out } = await run(...args);
    assert.equal(code, 0);
    assert.match(out, /^Usage: azure-proxy-agent audit verify/);
    assert.match(out, /Exit codes: 0 intact, 1 broken, 2/);
    for (const line of out.split("\n")) assert.ok(line.length <= 128, line);
  }
  const { code, err } = await run("verify", "--from-seq", "x");
  assert.equal(code, 2);
  assert.match(err, /`--from-seq` wants a whole number from 1\n\nUsage: /);
});

Deno.test("parseAuditArgs() reads every option, and says what is wrong", () => {
  assert.deepEqual(parseAuditArgs(["verify"]), {
    kind: "verify",
    files: [],
    folder: null,
    configFile: null,
    anchors: [],
    fromSeq: null,
    json: false,
  });
  assert.deepEqual(
    parseAuditArgs(["verify", "a", "b", "--anchor", "x", "--anchor=y", "--from-seq=7", "--json"]),
    {
      kind: "verify",
      files: ["a", "b"],
      folder: null,
      configFile: null,
      anchors: ["x", "y"],
      fromSeq: 7,
      json: true,
    },
  );
  const wrong: [string[], RegExp][] = [
    [[], /wants `verify`/],
    [["check"], /wants `verify`/],
    [["verify", "--what"], /--what/],
    [["verify", "a", "--folder", "b"], /either files or a folder/],
    [["verify", "a", "--config", "b"], /either files or a folder/],
    [["verify", "--folder", "a", "--config", "b"], /either a folder or a configuration/],
    [["verify", "--from-seq", "0"], /whole number/],
    [["verify", "--folder"], /folder/],
  ];
  for (const [args, error] of wrong) {
    const parsed = parseAuditArgs(args);
    assert.ok(parsed.kind === "usage", args.join(" "));
    assert.match(parsed.error, error);
  }
});
