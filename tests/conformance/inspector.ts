import assert from "node:assert/strict";
import type { Inspector } from "../../src/agent/caller/mod.ts";
import type { ConnectionRecord } from "../../src/domain/identity/mod.ts";

/** A process that a test plays with. */
export interface PlayedProcess extends AsyncDisposable {
  /** What a kernel would have recorded of a connection that it opened at its start. */
  readonly record: ConnectionRecord;
  /** Makes it run another program, as the same process. */
  changeProgram(): Promise<void>;
  end(): Promise<void>;
}

/** An inspector under test, and the processes of its system. */
export interface InspectorStand extends Disposable {
  readonly inspector: Inspector;
  /** Starts an installed program with these arguments, which outlives the test unless it is ended. */
  start(...args: readonly string[]): Promise<PlayedProcess>;
}

/** What every inspector must do. `name` is the implementation's. */
export function inspectorSuite(name: string, open: () => InspectorStand): void {
  const test = (
    criterion: string,
    play: (stand: InspectorStand, process: PlayedProcess) => Promise<void> | void,
  ) =>
    Deno.test(`${name} ${criterion}`, async () => {
      using stand = open();
      await using process = await stand.start("one", "two", "three", "four", "five");
      await play(stand, process);
    });

  test("verifies a living process of an installed program", ({ inspector }, { record }) => {
    const { exe, check } = inspector.inspect(record);
    assert.equal(exe.kind, "verified");
    assert.match(exe.kind === "verified" ? exe.path : "", /^([A-Z]:\\|\/)/);
    assert.equal(check(), "same");
  });

  test("shows four arguments of the command line at most", ({ inspector }, { record }) => {
    const { commandLine } = inspector.inspect(record);
    assert.notEqual(commandLine, "");
    assert.doesNotMatch(commandLine, /five/);
  });

  test("says the same when it is asked again", ({ inspector }, { record }) => {
    const first = inspector.inspect(record);
    const second = inspector.inspect({ ...record, cookie: record.cookie + 1n });
    assert.deepEqual([second.exe, second.commandLine], [first.exe, first.commandLine]);
  });

  test("doubts a process that runs another program by now", async ({ inspector }, process) => {
    const before = inspector.inspect(process.record);
    await process.changeProgram();
    assert.equal(before.check(), "changed");
    const after = inspector.inspect(process.record);
    assert.equal(after.exe.kind === "unverified" && after.exe.doubt, "executable-changed");
    assert.equal(after.check(), "changed");
  });

  test("doubts a process that ended before it was looked at", async ({ inspector }, process) => {
    await process.end();
    const { exe, commandLine, check } = inspector.inspect(process.record);
    assert.deepEqual(exe, { kind: "unverified", shownPath: "", doubt: "process-gone" });
    assert.equal(commandLine, "undefined");
    assert.equal(check(), "gone");
  });

  test("notices that a process ended after it was looked at", async ({ inspector }, process) => {
    const inspected = inspector.inspect(process.record);
    assert.equal(inspected.check(), "same");
    await process.end();
    assert.equal(inspected.check(), "gone");
    assert.equal(inspector.inspect(process.record).exe.kind, "unverified");
  });

  test("takes a later process with the same id for another one", ({ inspector }, { record }) => {
    const startedAtBootNs = record.process.startedAtBootNs - 1_000_000_000n;
    const stale = { ...record, process: { ...record.process, startedAtBootNs } };
    const { exe, check } = inspector.inspect(stale);
    assert.equal(exe.kind === "unverified" && exe.doubt, "process-gone");
    assert.equal(check(), "gone");
  });

  test("doubts an executable that is not the recorded one", ({ inspector }, { record }) => {
    for (
      const exe of [
        { ...record.exe, inode: record.exe.inode + 1n },
        { ...record.exe, device: record.exe.device + 1n },
      ]
    ) {
      const inspected = inspector.inspect({ ...record, exe });
      assert.equal(
        inspected.exe.kind === "unverified" && inspected.exe.doubt,
        "executable-changed",
      );
      assert.equal(inspected.check(), "changed");
    }
  });

  test("doubts an executable that the kernel did not record", ({ inspector }, { record }) => {
    const { exe } = inspector.inspect({ ...record, exe: { device: 0n, inode: 0n } });
    assert.equal(exe.kind === "unverified" && exe.doubt, "no-kernel-facts");
  });

  test("can be asked about more processes than it holds", ({ inspector }, { record }) => {
    const first = inspector.inspect(record);
    for (let other = 1n; other < 1_100n; other++) {
      inspector.inspect({ ...record, exe: { ...record.exe, inode: record.exe.inode + other } });
    }
    assert.equal(first.check(), "same");
    assert.equal(inspector.inspect(record).exe.kind, "verified");
  });
}
