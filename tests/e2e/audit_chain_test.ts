/** The chain of the audit log through the life of an agent: traffic, rotation, restarts, a kill; and what tampering leaves. */
import assert from "node:assert/strict";
import { AUDIT_FILE_NAME } from "../../src/agent/audit/mod.ts";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  ROOT_FOLDER,
  type Scene,
  until,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";

const AS_NOBODY = { user: NOBODY };
/** Refused requests that fill a file of 10 MiB: each record shows 2 KiB of the target. */
const FILLING = 5_000;

interface Verified {
  readonly code: number;
  readonly report: {
    readonly verdict: string;
    readonly records: number;
    readonly firstSeq: number;
    readonly lastSeq: number;
    readonly files: readonly { readonly path: string }[];
    readonly anchors: readonly { readonly seq: number; readonly from: string }[];
    readonly findings: readonly {
      readonly kind: string;
      readonly file: string;
      readonly line: number;
      readonly seq: number;
    }[];
    readonly remarks: readonly unknown[];
  };
}

/** `audit verify` of the product's own command line. */
async function verify(scene: Scene, ...args: readonly string[]): Promise<Verified> {
  const { program, logFolder } = scene.world;
  const [command = "", ...rest] = program;
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...rest, "audit", "verify", "--json", "--folder", logFolder, ...args],
    cwd: ROOT_FOLDER,
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.notEqual(text, "", new TextDecoder().decode(stderr));
  return { code, report: JSON.parse(text) };
}

async function assertIntact(scene: Scene): Promise<Verified["report"]> {
  const { code, report } = await verify(scene);
  assert.deepEqual(report.findings, []);
  assert.equal(report.verdict, "intact");
  assert.equal(code, 0);
  return report;
}

async function traffic(scene: Scene): Promise<void> {
  assert.equal(await scene.statusOf(`http://${IMDS}${INSTANCE}`, AS_NOBODY), 200);
  assert.equal(await scene.statusOf(`http://${IMDS}${INSTANCE}`, AS_NOBODY), 200);
  assert.equal(await scene.statusOf(`http://${WIRESERVER}${VERSIONS}`, AS_NOBODY), 403);
}

/** Refusals until the file has been put aside. */
async function fillOneFile(scene: Scene): Promise<void> {
  const url = `http://${WIRESERVER}/[1-${FILLING}]?${"x".repeat(2_000)}`;
  const args = ["curl", "-s", "-o", "/dev/null", "-H", "Metadata: true", url];
  await scene.world.sandbox.run(args, AS_NOBODY);
}

e2eTest(
  "the audit log stays one chain over rotation, restart and kill, and shows where it was tampered with",
  {
    label: "chain",
    limitMs: 180_000,
  },
  async (scene) => {
    const { world } = scene;
    const path = `${world.logFolder}/${AUDIT_FILE_NAME}`;

    await scene.step("traffic, while the agent runs", async () => {
      await traffic(scene);
      await until("the status names a record", async () => "auditLog" in await world.status());
      const report = await assertIntact(scene);
      assert.equal(report.firstSeq, 1);
      assert.equal(report.anchors.length, 2, "anchor and status document");
    });

    await scene.step("rotation", async () => {
      await fillOneFile(scene);
      const report = await assertIntact(scene);
      assert.equal(report.files.length, 2);
      assert.ok(report.records > FILLING, `${report.records}`);
    });

    await scene.step("an orderly restart", async () => {
      assert.equal(await world.stopAgent(), 0);
      const before = await assertIntact(scene);
      await world.startAgent();
      await traffic(scene);
      const after = await assertIntact(scene);
      assert.equal(after.firstSeq, 1);
      assert.ok(after.lastSeq > before.lastSeq);
    });

    await scene.step("a kill in the middle of a line", async () => {
      await world.killAgent();
      await Deno.writeTextFile(path, '2026-07-22T21:27:45.123 [INFO]    {"id":4', { append: true });
      const torn = await verify(scene);
      assert.equal(torn.code, 1);
      assert.deepEqual(torn.report.findings.map(({ kind }) => kind), ["unfinished"]);
      await world.startAgent();
      await traffic(scene);
      const report = await assertIntact(scene);
      assert.equal(report.remarks.length, 1);
    });

    assert.equal(await world.stopAgent(), 0);
    const whole = await Deno.readFile(path);
    const lines = new TextDecoder().decode(whole).split("\n").slice(0, -1);
    const at = lines.findLastIndex((line) => line.includes('"decision":"deny"'));
    const { seq } = JSON.parse(lines[at]!.slice(34)) as { seq: number };
    const tampered = async (changed: readonly string[]) => {
      await Deno.writeTextFile(path, changed.map((line) => `${line}\n`).join(""));
      const { code, report } = await verify(scene);
      await Deno.writeFile(path, whole);
      assert.equal(code, 1);
      const [{ kind, file, line, seq: found }] = report.findings as [
        Verified["report"]["findings"][0],
      ];
      assert.equal(file, path);
      return [kind, line, found];
    };

    await scene.step("a verdict that was changed", async () => {
      const changed = lines.with(at, lines[at]!.replace('"deny"', '"allow"'));
      assert.deepEqual(await tampered(changed), ["changed", at + 1, seq]);
    });

    await scene.step("a refusal that was taken out", async () => {
      assert.deepEqual(await tampered(lines.toSpliced(at, 1)), ["missing", at + 1, seq]);
    });

    await scene.step("an end that was cut off", async () => {
      assert.deepEqual(await tampered(lines.slice(0, at)), ["end-missing", 0, seq]);
    });

    await scene.step("a file that was deleted", async () => {
      const [aside = ""] = (await assertIntact(scene)).files.map(({ path }) => path);
      await Deno.rename(aside, `${world.logFolder}/away`);
      const { code, report } = await verify(scene);
      assert.equal(code, 1);
      assert.deepEqual([report.findings[0]?.kind, report.findings[0]?.seq], [
        "beginning-missing",
        1,
      ]);
      await Deno.rename(`${world.logFolder}/away`, aside);
    });

    await scene.step("a cut that the next agent finds by itself", async () => {
      await Deno.writeTextFile(path, lines.slice(0, at).map((line) => `${line}\n`).join(""));
      await world.startAgent();
      assert.equal((await scene.logLines("audit log is not as it was written")).length, 1);
      const { code, report } = await verify(scene);
      assert.equal(code, 1);
      assert.deepEqual(report.findings.map(({ kind }) => kind), ["missing", "noted"]);
      assert.equal(await world.stopAgent(), 0);
    });
  },
);
