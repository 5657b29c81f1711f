import assert from "node:assert/strict";
import { PROCESS, runUntilStopped } from "../../../src/commands/run_agent.ts";
import { FakeProcess, fired, MemoryOutput, withConfig } from "./fakes.ts";

const never = () => new AbortController().signal;

function bench() {
  const output = new MemoryOutput();
  const control = new FakeProcess();
  return { output, control };
}

Deno.test("runUntilStopped() hands settings and warnings to the agent and returns its exit code", () =>
  withConfig({ logfolder: 1 }, async (configFile) => {
    const { output, control } = bench();
    const code = await runUntilStopped(
      (config, options, signal) => {
        assert.equal(config.statusFolder, "/l");
        assert.equal(options.foreground, true);
        assert.equal(options.warnings.length, 1);
        assert.equal(signal.aborted, false);
        assert.deepEqual(control.umasks, [0o077]);
        return Promise.resolve(7);
      },
      { foreground: true, configFile },
      output,
      never(),
      control,
    );
    assert.equal(code, 7);
    assert.equal(output.stderr, "");
    assert.equal(control.listening, 0);
  }));

Deno.test("runUntilStopped() begins the orderly stop with each of the stop signals", () =>
  withConfig({}, async (configFile) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const { output, control } = bench();
      const code = await runUntilStopped(
        async (_config, _options, stopping) => {
          control.raise(signal);
          await fired(stopping);
          return 0;
        },
        { foreground: false, configFile },
        output,
        never(),
        control,
      );
      assert.equal(code, 0);
      assert.deepEqual(control.exits, []);
      assert.equal(control.listening, 0);
    }
  }));

Deno.test("runUntilStopped() reads the same file again and tells the agent at each hang-up", () =>
  withConfig({ fileLogLevel: "warn" }, async (configFile) => {
    const { output, control } = bench();
    const code = await runUntilStopped(
      async (_config, { configSource }, stopping) => {
        assert.equal(configSource.loaded.config.fileLogLevel, "warn");
        let asked = 0;
        const end = new AbortController();
        configSource.onAsked(() => asked++, end.signal);
        control.raise("SIGHUP");
        control.raise("SIGHUP");
        assert.equal(asked, 2);
        await Deno.writeTextFile(configFile, "{");
        const broken = await configSource.load();
        assert.ok(!broken.ok && broken.error.kind === "wrong");
        end.abort();
        control.raise("SIGHUP");
        assert.equal(asked, 2);
        assert.equal(stopping.aborted, false);
        return 0;
      },
      { foreground: true, configFile },
      output,
      never(),
      control,
    );
    assert.equal(code, 0);
    assert.equal(control.listening, 0);
  }));

Deno.test("runUntilStopped() ends in order when the terminal that it belongs to is gone", () =>
  withConfig({}, async (configFile) => {
    const { output, control } = bench();
    control.isTerminal = true;
    const code = await runUntilStopped(
      async (_config, _options, stopping) => {
        control.raise("SIGHUP");
        assert.equal(stopping.aborted, false, "a terminal that is still there");
        control.isTerminal = false;
        control.raise("SIGHUP");
        await fired(stopping);
        return 0;
      },
      { foreground: true, configFile },
      output,
      never(),
      control,
    );
    assert.equal(code, 0);
    assert.deepEqual(control.exits, []);
  }));

Deno.test("runUntilStopped() ends at once with the second signal, if it is a second wish", () =>
  withConfig({}, async (configFile) => {
    const { output, control } = bench();
    await runUntilStopped(
      () => {
        control.raise("SIGINT");
        control.raise("SIGINT");
        control.elapsedMs = 999;
        control.raise("SIGTERM");
        assert.deepEqual(control.exits, [], "a launcher passes on what both of them got");
        control.elapsedMs = 1_000;
        control.raise("SIGTERM");
        assert.deepEqual(control.exits, [1]);
        return Promise.resolve(0);
      },
      { foreground: false, configFile },
      output,
      never(),
      control,
    );
  }));

Deno.test("runUntilStopped() stops when it is told to, also when that was before", () =>
  withConfig({}, async (configFile) => {
    for (const early of [true, false]) {
      const { output, control } = bench();
      const stop = new AbortController();
      if (early) stop.abort();
      const code = await runUntilStopped(
        async (_config, _options, stopping) => {
          stop.abort();
          await fired(stopping);
          return 0;
        },
        { foreground: true, configFile },
        output,
        stop.signal,
        control,
      );
      assert.equal(code, 0);
    }
  }));

Deno.test("runUntilStopped() refuses a configuration that it cannot use with 2 and runs nothing", () =>
  withConfig({ cgroupRoot: 1, logFolder: 2 }, async (configFile) => {
    const { output, control } = bench();
    const run = () => assert.fail("ran");
    const code = await runUntilStopped(
      run,
      { foreground: true, configFile },
      output,
      never(),
      control,
    );
    assert.equal(code, 2);
    assert.equal(output.stderr.trimEnd().split("\n").length, 2);
    assert.match(output.stderr, /`cgroupRoot` is 1, must be the path of a folder/);
    assert.equal(control.listening, 0);
  }));

Deno.test("runUntilStopped() looks beside the executable when no file is named", () =>
  withConfig({}, async (configFile) => {
    const control = new FakeProcess(configFile.replace("proxy-agent.json", "azure-proxy-agent"));
    const code = await runUntilStopped(
      (config) => {
        assert.equal(config.statusFolder, "/var/log/azure-proxy-agent");
        return Promise.resolve(0);
      },
      { foreground: false, configFile: null },
      new MemoryOutput(),
      never(),
      control,
    );
    assert.equal(code, 0);
  }));

Deno.test("runUntilStopped() says that no log files are kept when no folder is set", () =>
  withConfig({ logFolder: "" }, async (configFile) => {
    const { output, control } = bench();
    const options = { foreground: true, configFile };
    await runUntilStopped(() => Promise.resolve(0), options, output, never(), control);
    assert.equal(
      output.stdout,
      "The log folder is not set, skip write to GPA managed file log.\n",
    );
  }));

Deno.test("runUntilStopped() turns an agent that throws into 1 and one sentence", () =>
  withConfig({}, async (configFile) => {
    for (const thrown of [new Error("no luck"), "no luck"]) {
      const { output, control } = bench();
      const code = await runUntilStopped(
        () => Promise.reject(thrown),
        { foreground: true, configFile },
        output,
        never(),
        control,
      );
      assert.equal(code, 1);
      assert.equal(output.stderr, "The agent ended: no luck\n");
      assert.equal(control.listening, 0);
    }
  }));

Deno.test("PROCESS is this process", () => {
  const before = Deno.umask();
  PROCESS.umask(0o022);
  assert.equal(Deno.umask(before), 0o022);
  assert.equal(PROCESS.executable, Deno.execPath());
  assert.equal(PROCESS.hasTerminal(), Deno.stdin.isTerminal());
  assert.ok(Math.abs(PROCESS.nowMs() - performance.now()) < 1_000);
  assert.equal(PROCESS.environment("PATH"), Deno.env.get("PATH"));
  const handler = () => {};
  PROCESS.onSignal("SIGHUP", handler);
  PROCESS.offSignal("SIGHUP", handler);
});
