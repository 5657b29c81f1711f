import assert from "node:assert/strict";
import fc from "fast-check";
import type { FileAuditTrail } from "../../src/agent/audit/mod.ts";
import { AUDIT_FILE_NAME, type VerifyReport } from "../../src/agent/audit/mod.ts";
import { ChainStand } from "../unit/agent/audit/chain_stand.ts";
import { makeDenial, makeEntry } from "../unit/agent/audit/entries.ts";

const RUNS = 60;
const LINE_FEED = 0x0a;
/** Files of a few records each. */
const SMALL = { maxBytes: 5000 };

type Act = "deny" | "allow" | "restart" | "crash" | "torn" | "minute";

const acts = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant<Act>("deny") },
    { weight: 3, arbitrary: fc.constant<Act>("allow") },
    { weight: 1, arbitrary: fc.constantFrom<Act>("restart", "crash", "torn", "minute") },
  ),
  { minLength: 3, maxLength: 30 },
);

/** Plays the acts and ends with an orderly stop. */
async function play(stand: ChainStand, story: readonly Act[]): Promise<void> {
  let trail: FileAuditTrail = stand.start(SMALL);
  for (const act of story) {
    stand.clock.tick(1000);
    switch (act) {
      case "deny":
        trail.record(makeDenial({ target: "/ü/😀" }));
        break;
      case "allow":
        trail.record(makeEntry());
        break;
      case "minute":
        await trail.keepAnchor();
        break;
      case "restart":
        await trail.close();
        trail = stand.start(SMALL);
        break;
      case "crash":
        stand.crash();
        trail = stand.start(SMALL);
        break;
      case "torn":
        // Nothing that was on the disk is lost, so nothing that an anchor may name.
        trail.record(makeDenial());
        stand.crash();
        cutWithinLastLine(stand);
        trail = stand.start(SMALL);
        break;
    }
  }
  await trail.close();
}

function cutWithinLastLine(stand: ChainStand): void {
  const bytes = stand.read();
  const start = bytes.lastIndexOf(LINE_FEED, bytes.length - 2) + 1;
  const keep = start + 1 + (bytes.length * 7919) % (bytes.length - start - 1);
  Deno.writeFileSync(stand.path(AUDIT_FILE_NAME), bytes.subarray(0, keep));
}

async function check(
  damage: (stand: ChainStand, at: number, value: number) => Expected | null,
): Promise<void> {
  const seed = Deno.env.get("FAST_CHECK_SEED");
  await fc.assert(
    fc.asyncProperty(
      acts,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.integer({ min: 1, max: 255 }),
      (story, at, value) =>
        ChainStand.with(async (stand) => {
          await play(stand, story);
          const before = await stand.verify();
          assert.deepEqual(before.findings, []);
          const expected = damage(stand, at, value);
          if (expected === null) return;
          const report = await stand.verify();
          assert.equal(report.isIntact, false, "it was found");
          expected(report);
        }),
    ),
    {
      numRuns: Number(Deno.env.get("FAST_CHECK_RUNS") ?? RUNS),
      ...(seed === undefined ? {} : { seed: Number(seed) }),
    },
  );
}

type Expected = (report: VerifyReport) => void;

/** A file of the log and a place in it. */
function pick(stand: ChainStand, at: number): { name: string; share: number } {
  const names = stand.logNames();
  const scaled = at * names.length;
  return { name: names[Math.floor(scaled)]!, share: scaled - Math.floor(scaled) };
}

const seqOf = (line: string) => Number(/,"seq":(\d+),"prevHash"[^}]*\}$/.exec(line)?.[1] ?? NaN);

Deno.test("a log verifies clean after any series of rotations, restarts and crashes", () =>
  check(() => null));

Deno.test("any one changed byte of a log is found, at its line", () =>
  check((stand, at, value) => {
    const { name, share } = pick(stand, at);
    const bytes = stand.read(name);
    const index = Math.floor(share * bytes.length);
    const line = bytes.subarray(0, index).filter((byte) => byte === LINE_FEED).length + 1;
    bytes[index] = bytes[index]! ^ value;
    Deno.writeFileSync(stand.path(name), bytes);
    // What a crash left stands for nothing once the record that tells of it is changed.
    const before = stand.lines(name)[line - 2];
    const isBehindTorn = before !== undefined && Number.isNaN(seqOf(before));
    return ({ findings: [first, second] }) => {
      const found = isBehindTorn && first?.line === line - 1 ? second : first;
      assert.equal(found?.file, stand.path(name));
      assert.equal(found?.line, line);
    };
  }));

Deno.test("any deleted line of a log is found, by its number and place", () =>
  check((stand, at) => {
    const { name, share } = pick(stand, at);
    const lines = stand.lines(name);
    const index = Math.floor(share * lines.length);
    const [gone = ""] = lines.splice(index, 1);
    stand.writeLines(lines, name);
    return ({ findings: [first] }) => {
      if (Number.isNaN(seqOf(gone))) assert.equal(first?.kind, "missing", "what a crash left");
      else if (first?.kind !== "beginning-missing") assert.equal(first?.seq, seqOf(gone));
      if (index < lines.length) assert.equal(first?.line, index + 1);
      if (index < lines.length) assert.equal(first?.file, stand.path(name));
    };
  }));

Deno.test("any two neighbouring lines that changed places are found", () =>
  check((stand, at) => {
    const { name, share } = pick(stand, at);
    const lines = stand.lines(name);
    if (lines.length < 2) return null;
    const index = Math.floor(share * (lines.length - 1));
    const [first, second] = lines.slice(index, index + 2);
    stand.writeLines(lines.with(index, second!).with(index + 1, first!), name);
    return ({ findings: [found] }) => {
      assert.equal(found?.file, stand.path(name));
      // What a crash left belongs to the record that tells of it: it is missed, or stands for nothing, beside the two.
      const isTorn = lines.slice(Math.max(0, index - 1), index + 2).some((line) =>
        Number.isNaN(seqOf(line))
      );
      const places = [index + 1, index + 2, ...(isTorn ? [index, index + 3] : [])];
      assert.ok(places.includes(found?.line ?? 0), `${found?.line}`);
    };
  }));

Deno.test("any doubled line is found where it stands the second time", () =>
  check((stand, at) => {
    const { name, share } = pick(stand, at);
    const lines = stand.lines(name);
    const index = Math.floor(share * lines.length);
    stand.writeLines(lines.toSpliced(index, 0, lines[index]!), name);
    return ({ findings: [first] }) => {
      assert.equal(first?.file, stand.path(name));
      assert.ok(first?.line === index + 1 || first?.line === index + 2, `${first?.line}`);
    };
  }));

Deno.test("any cut at the end of a log is found, and the first record that it cost", () =>
  check((stand, at) => {
    const bytes = stand.read();
    const keep = Math.floor(at * bytes.length);
    const kept = bytes.subarray(0, keep);
    const line = kept.filter((byte) => byte === LINE_FEED).length;
    const cost = stand.lines().slice(line).map(seqOf).find((seq) => !Number.isNaN(seq));
    Deno.writeFileSync(stand.path(AUDIT_FILE_NAME), kept);
    return ({ findings }) => assert.ok(findings.some(({ seq }) => seq === cost));
  }));

Deno.test("any deleted file of a log is found", () =>
  check((stand, at) => {
    Deno.removeSync(stand.path(pick(stand, at).name));
    return ({ findings }) => assert.ok(findings.length > 0);
  }));
