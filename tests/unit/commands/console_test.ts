import assert from "node:assert/strict";
import { consoleCommand, type LineSource, ownsTerminal } from "../../../src/commands/console.ts";
import type { AgentRun } from "../../../src/commands/run_agent.ts";
import { FakeProcess, fired, MemoryOutput, withConfig } from "./fakes.ts";

/** An input that delivers its chunks, then ends, then (like a terminal) waits if `open`. */
function input(chunks: (string | Error)[], isTerminal = false): LineSource {
  const rest = [...chunks];
  return {
    isTerminal: () => isTerminal,
    read: (buffer) => {
      const next = rest.shift();
      if (next === undefined) return Promise.resolve(null);
      if (next instanceof Error) return Promise.reject(next);
      return Promise.resolve(new TextEncoder().encodeInto(next, buffer).written);
    },
  };
}

/** An agent that runs until it is stopped, or until nothing happened for some turns of the event loop. */
function patient(outcome: { stopped?: boolean }): AgentRun {
  return async (_config, options, signal) => {
    assert.equal(options.foreground, true);
    const turns = (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
    })();
    await Promise.race([fired(signal), turns]);
    outcome.stopped = signal.aborted;
    return 0;
  };
}

async function stopsOn(source: LineSource): Promise<boolean> {
  const outcome: { stopped?: boolean } = {};
  await withConfig({}, async (path) => {
    const output = new MemoryOutput();
    const code = await consoleCommand(path, patient(outcome), output, source, new FakeProcess());
    assert.equal(code, 0);
    assert.equal(output.stdout, "Press Enter to end it.\n");
  });
  return outcome.stopped ?? assert.fail("did not run");
}

Deno.test("consoleCommand() says how to end it and ends with a line on its input", async () => {
  assert.equal(await stopsOn(input(["\n"])), true);
  assert.equal(await stopsOn(input(["no end", " yet", "\n"])), true);
});

Deno.test("consoleCommand() keeps running when its input is closed, empty or broken", async () => {
  assert.equal(await stopsOn(input([])), false);
  assert.equal(await stopsOn(input(["no line"])), false);
  assert.equal(await stopsOn(input([new Error("closed")])), false);
});

Deno.test("ownsTerminal() compares process group and foreground group, whatever the program is called", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "7 (a ) 1 2 (b) S 1 70 60 34816 70 4194304 0");
    assert.equal(ownsTerminal(path), true);
    await Deno.writeTextFile(path, "7 (azure-proxy-age) S 1 70 60 34816 71 4194304 0");
    assert.equal(ownsTerminal(path), false);
  } finally {
    await Deno.remove(path);
  }
  assert.equal(ownsTerminal("/no/stat"), true);
});
