import assert from "node:assert/strict";
import { StatusWriter } from "../../../../src/agent/status/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

interface Bench {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly logger: MemoryLogger;
  readonly reports: string[];
  /** Content and signature of the next document. */
  readonly shown: { text: string; signature: string };
  /** Runs the writer around `body`. */
  run(folder: string, body: () => Promise<void>): Promise<void>;
  /** Waits for the file operations under way, then moves the clock. */
  pass(ms: number): Promise<void>;
}

async function bench(body: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const umask = Deno.umask(0o077);
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  const reports: string[] = [];
  const shown = { text: "first", signature: "1" };
  // A writer at rest sleeps; until then its file operations are still under way.
  const rest = async () => {
    while (clock.sleeping === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  };
  try {
    await body({
      folder,
      clock,
      logger,
      reports,
      shown,
      pass: async (ms) => {
        for (let left = ms; left > 0; left -= 1000) {
          await rest();
          await clock.advance(Math.min(left, 1000));
        }
        await rest();
      },
      run: async (target, inside) => {
        const stop = new AbortController();
        const status = { document: () => shown.text, signature: () => shown.signature };
        const writer = new StatusWriter({
          clock,
          logger,
          folder: target,
          status,
          isOurs: (name) => name.startsWith("status."),
        });
        const done = writer.run(stop.signal, {
          report: (state, code, message) => reports.push(`${state} ${code} ${message}`),
        });
        try {
          await rest();
          await inside();
        } finally {
          stop.abort();
          await done;
        }
      },
    });
  } finally {
    Deno.umask(umask);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("StatusWriter.run() writes at once, readable by root's group, in a closed folder", () =>
  bench(async ({ folder, run, reports }) => {
    await run(`${folder}/logs`, async () => {
      const path = `${folder}/logs/status.json`;
      assert.equal(await Deno.readTextFile(path), "first");
      assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o640);
      assert.equal(((await Deno.stat(`${folder}/logs`)).mode ?? 0) & 0o777, 0o750);
      assert.deepEqual(reports, [
        "RUNNING STATUS_STARTED Proxy agent status is running.",
        `RUNNING STATUS_WRITTEN Aggregate status written to status file: ${path}`,
      ]);
    });
    assert.deepEqual([...Deno.readDirSync(`${folder}/logs`)].map(({ name }) => name), [
      "status.json",
    ]);
  }));

Deno.test("StatusWriter.run() writes every minute", () =>
  bench(async ({ folder, run, shown, pass }) => {
    await run(folder, async () => {
      shown.text = "second";
      await pass(59_000);
      assert.equal(await Deno.readTextFile(`${folder}/status.json`), "first");
      await pass(1000);
      assert.equal(await Deno.readTextFile(`${folder}/status.json`), "second");
    });
  }));

Deno.test("StatusWriter.run() writes within a second of a change", () =>
  bench(async ({ folder, run, shown, pass }) => {
    await run(folder, async () => {
      shown.text = "changed";
      shown.signature = "2";
      await pass(1000);
      assert.equal(await Deno.readTextFile(`${folder}/status.json`), "changed");
    });
  }));

Deno.test("StatusWriter.run() writes within a second of the clock being set, either way, and once", () =>
  bench(async ({ folder, run, clock, shown, pass }) => {
    await run(folder, async () => {
      for (const byMs of [3_600_000, -7_200_000]) {
        shown.text = `set by ${byMs}`;
        clock.jumpWall(byMs);
        await pass(1000);
        assert.equal(await Deno.readTextFile(`${folder}/status.json`), shown.text);
        const written = shown.text;
        shown.text = "later";
        await pass(3000);
        assert.equal(await Deno.readTextFile(`${folder}/status.json`), written);
      }
      clock.jumpWall(1_000);
      const written = await Deno.readTextFile(`${folder}/status.json`);
      await pass(3000);
      assert.equal(await Deno.readTextFile(`${folder}/status.json`), written);
    });
  }));

Deno.test("StatusWriter.run() tells a failure once, keeps trying, and tells the recovery", () =>
  bench(async ({ folder, run, pass, logger, reports }) => {
    const target = `${folder}/logs`;
    await Deno.writeTextFile(target, "in the way");
    await run(target, async () => {
      assert.match(
        reports.at(-1) ?? "",
        /^STOPPED STATUS_WRITE Error writing aggregate status to status file: /,
      );
      await pass(10_000);
      assert.deepEqual(logger.texts("error"), ["status file cannot be written"]);
      await Deno.remove(target);
      await pass(5000);
      assert.equal(await Deno.readTextFile(`${target}/status.json`), "first");
      assert.match(reports.at(-1) ?? "", /^RUNNING STATUS_WRITTEN /);
      assert.deepEqual(logger.texts("warn"), ["status file can be written again"]);
    });
  }));

Deno.test("StatusWriter.run() keeps the last file when a document cannot be made", () =>
  bench(async ({ folder, run, shown, pass, reports }) => {
    await run(folder, async () => {
      Object.defineProperty(shown, "text", {
        get: () => {
          throw new Error("no document");
        },
      });
      shown.signature = "2";
      await pass(1000);
      assert.equal(await Deno.readTextFile(`${folder}/status.json`), "first");
      assert.match(reports.at(-1) ?? "", /^STOPPED STATUS_WRITE .*no document/);
    });
  }));
