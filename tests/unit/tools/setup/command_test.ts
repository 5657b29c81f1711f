import assert from "node:assert/strict";
import { runCommand } from "../../../../tools/setup/command.ts";

Deno.test("runCommand() returns the exit code and both outputs", async () => {
  const lines: string[] = [];
  const outcome = await runCommand(["sh", "-c", "echo out; echo err >&2; exit 3"], {
    limitMs: 10_000,
    onLine: (line) => lines.push(line),
  });
  assert.equal(outcome.code, 3);
  assert.equal(outcome.timedOut, false);
  assert.deepEqual(lines.sort(), ["err", "out"]);
});

Deno.test("runCommand() appends everything to the log", async () => {
  const logPath = Deno.makeTempFileSync();
  try {
    for (const word of ["one", "two"]) {
      await runCommand(["printf", word], { limitMs: 10_000, logPath });
    }
    assert.equal(Deno.readTextFileSync(logPath), "onetwo");
  } finally {
    Deno.removeSync(logPath);
  }
});

Deno.test("runCommand() ends a command at its limit, and what it started with it", async () => {
  let child = 0;
  const outcome = await runCommand(["sh", "-c", "sleep 60 & echo $!; exec sleep 60"], {
    limitMs: 300,
    onLine: (line) => child = Number(line),
  });
  assert.equal(outcome.timedOut, true);
  assert.notEqual(outcome.code, 0);
  assert.ok(child > 0);
  // The kernel ends a killed process a moment after kill() has returned.
  const deadlineMs = performance.now() + 5_000;
  while (isRunning(child) && performance.now() < deadlineMs);
  assert.ok(!isRunning(child), "the grandchild is still there");
});

/** False for a process that is gone, or waits as a zombie for a parent that never asks. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
