import assert from "node:assert/strict";
import { inspectCommand } from "../../../src/commands/inspect.ts";
import { until } from "../../fakes/proxy_stand.ts";
import { makeEntry } from "../agent/audit/entries.ts";
import { withAgent } from "./control_stand.ts";
import { MemoryOutput, withConfig } from "./fakes.ts";

const NOWHERE = { executable: "/nowhere/agent", environment: () => undefined };
const never = new AbortController().signal;

async function run(args: string[]) {
  const output = new MemoryOutput();
  const code = await inspectCommand(args, output, never, NOWHERE);
  return { code, output };
}

Deno.test("inspectCommand() prints what the agent answers", () =>
  withAgent(async (path) => {
    const status = await run(["status", "--socket", path]);
    assert.equal(status.code, 0);
    assert.equal(JSON.parse(status.output.stdout).version, "1.2.3");
    const metrics = await run(["metrics", "--socket", path]);
    assert.match(metrics.output.stdout, /^# HELP azure_proxy_agent_/);
    const caller = await run(["caller", "--pid", "4242", "--socket", path]);
    assert.equal(JSON.parse(caller.output.stdout).callers[0].uid, 1000);
  }));

Deno.test("inspectCommand() finds the socket in a configuration", () =>
  withAgent((path) =>
    withConfig({ controlSocket: path }, async (config) => {
      const { code, output } = await run(["attestation", "--config", config]);
      assert.equal(code, 0);
      assert.equal(JSON.parse(output.stdout).policy.epoch, 12);
    })
  ));

Deno.test("inspectCommand() fails with the agent's own words", () =>
  withAgent(async (path) => {
    const { code, output } = await run(["caller", "--pid", "1", "--socket", path]);
    assert.equal(code, 1);
    assert.match(output.stderr, /process 1 has no open connection/);
  }));

Deno.test("inspectCommand() follows the decisions until it is asked to end", () =>
  withAgent(async (path, sources) => {
    const output = new MemoryOutput();
    const stop = new AbortController();
    const done = inspectCommand(["decisions", "--socket", path], output, stop.signal, NOWHERE);
    await until(() => output.stdout.includes("watching"));
    sources.feed.push(makeEntry({ requestId: 41 }), 0);
    await until(() => output.stdout.includes(`"id":41`));
    stop.abort();
    assert.equal(await done, 0);
  }));

Deno.test("inspectCommand() ends when nobody reads the decisions any more", () =>
  withAgent(async (path, sources) => {
    const output = new MemoryOutput();
    const done = inspectCommand(["decisions", "--socket", path], output, never, NOWHERE);
    await until(() => output.stdout.includes("watching"));
    output.reader.abort();
    assert.equal(await done, 0);
    await until(() => sources.feed.readers === 0);
  }));

Deno.test("inspectCommand() tells an answer that is none of an agent", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/s`;
  const server = Deno.serve({ path, onListen: () => {} }, () => new Response("<html>"));
  const { code, output } = await run(["status", "--socket", path]);
  await server.shutdown();
  await Deno.remove(folder, { recursive: true });
  assert.equal(code, 1);
  assert.match(output.stderr, /no JSON: another program serves the socket/);
});

Deno.test("inspectCommand() says why there is no answer", async () => {
  const away = await run(["status", "--socket", "/nowhere/s"]);
  assert.equal(away.code, 1);
  assert.match(away.output.stderr, /No agent answers at \/nowhere\/s/);
  await withConfig({ controlSocket: "" }, async (config) => {
    const { code, output } = await run(["status", "--config", config]);
    assert.equal(code, 1);
    assert.match(output.stderr, /`controlSocket` is empty/);
  });
  const wrong = await run(["status", "--config", "/nowhere/c.json"]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.output.stderr, /cannot be read/);
});

Deno.test("inspectCommand() tells how it is used", async () => {
  for (const args of [[], ["everything"], ["status", "x"], ["status", "--pid", "1"], ["--odd"]]) {
    const { code, output } = await run(args);
    assert.equal(code, 2);
    assert.match(output.stderr, /Usage: azure-proxy-agent inspect/);
  }
  const help = await run(["--help"]);
  assert.equal(help.code, 0);
  assert.match(help.output.stdout, /Usage: azure-proxy-agent inspect/);
});
