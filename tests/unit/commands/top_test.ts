import assert from "node:assert/strict";
import { type Screen, topCommand } from "../../../src/commands/top.ts";
import { SystemClock } from "../../../src/runtime/system_clock.ts";
import type { Sources } from "../../../src/agent/control/mod.ts";
import { until } from "../../fakes/proxy_stand.ts";
import { makeDenial, makeEntry } from "../agent/audit/entries.ts";
import { withAgent } from "./control_stand.ts";
import { MemoryOutput } from "./fakes.ts";

const ESCAPE = "\x1b";

/** A terminal whose keys the test presses. */
class FakeScreen implements Screen {
  wantsColour = true;
  isReleased = false;
  press: (key: string) => void = () => {};
  constructor(readonly isTerminal: boolean) {}
  size() {
    return { columns: 100, lines: 30 };
  }
  keys(onKey: (key: string) => void): void {
    this.press = onKey;
  }
  release(): void {
    this.isReleased = true;
  }
}

/** Time that passes ten times as fast. */
class QuickClock extends SystemClock {
  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return super.sleep(ms / 10, signal);
  }
}

function start(args: string[], screen = new FakeScreen(false), stop = new AbortController()) {
  const output = new MemoryOutput();
  const context = {
    executable: "/nowhere/agent",
    environment: () => undefined,
    clock: new QuickClock(),
    screen,
  };
  return { output, screen, stop, done: topCommand(args, output, stop.signal, context) };
}

/** Feeds a decision once somebody watches. */
async function feed(sources: Sources): Promise<void> {
  await until(() => sources.feed.readers > 0);
  sources.feed.push(makeEntry(), 0);
  sources.feed.push(makeDenial({ reason: "rule-denied" }), 0);
}

Deno.test("topCommand() prints one table with --once, and without a terminal", () =>
  withAgent(async (path, sources) => {
    for (const args of [["--once"], []]) {
      const { output, done } = start([...args, "--interval", "9", "--socket", path]);
      await feed(sources);
      assert.equal(await done, 0);
      assert.match(output.stdout, /azure-proxy-agent 1\.2\.3 .* 4 connections/);
      assert.match(output.stdout, /azureuser +curl +imds +deny rule-denied +403 GET \/metadata/);
      assert.match(output.stdout, /! redirector: bad/);
      assert.ok(!output.stdout.includes(ESCAPE));
      await until(() => sources.feed.readers === 0);
    }
  }));

Deno.test("topCommand() prints objects with --json, one or one each interval", () =>
  withAgent(async (path, sources) => {
    const one = start(["--json", "--once", "--interval", "9", "--socket", path]);
    await feed(sources);
    assert.equal(await one.done, 0);
    const document = JSON.parse(one.output.stdout);
    assert.equal(document.requests, 2);
    assert.equal(document.agent.version, "1.2.3");
    assert.equal(document.rows.length, 2);
    const many = start(["--json", "--socket", path]);
    await until(() => many.output.stdout.split("\n").length > 3);
    many.stop.abort();
    assert.equal(await many.done, 0);
    for (const line of many.output.stdout.trimEnd().split("\n")) JSON.parse(line);
  }));

Deno.test("topCommand() draws in place until q is pressed, and gives the terminal back", () =>
  withAgent(async (path, sources) => {
    const { output, screen, done } = start(["--socket", path], new FakeScreen(true));
    await feed(sources);
    await until(() => output.stdout.includes("rule-denied"));
    assert.ok(output.stdout.startsWith("\x1b[?1049h"));
    assert.ok(output.stdout.includes(`${ESCAPE}[31m`));
    screen.press("x");
    screen.press("q");
    assert.equal(await done, 0);
    assert.ok(output.stdout.endsWith("\x1b[?1049l"));
    assert.ok(screen.isReleased);
    await until(() => sources.feed.readers === 0);
  }));

Deno.test("topCommand() does without colour where it is not wanted", () =>
  withAgent(async (path, sources) => {
    const screen = new FakeScreen(true);
    screen.wantsColour = false;
    const colourless = [
      () => start(["--socket", path], screen),
      () => start(["--no-color", "--socket", path], new FakeScreen(true)),
    ];
    for (const begin of colourless) {
      const run = begin();
      await feed(sources);
      await until(() => run.output.stdout.includes("rule-denied"));
      run.screen.press("\x03");
      assert.equal(await run.done, 0);
      assert.ok(!run.output.stdout.includes(`${ESCAPE}[31m`));
      await until(() => sources.feed.readers === 0);
    }
  }));

Deno.test("topCommand() says so when the agent drops it or goes away, and goes on", async () => {
  let run: ReturnType<typeof start> | null = null;
  await withAgent(async (path, sources) => {
    const begun = run = start(["--socket", path], new FakeScreen(true));
    await until(() => sources.feed.readers > 0);
    for (let count = 0; count < 9_000; count++) sources.feed.push(makeEntry(), 0);
    await until(() => begun.output.stdout.includes("dropped this view"));
  });
  const { output, screen, done } = run!;
  await until(() => output.stdout.includes("does not answer"));
  screen.press("q");
  assert.equal(await done, 0);
});

Deno.test("topCommand() ends when nobody reads its objects any more", () =>
  withAgent(async (path) => {
    const { output, done } = start(["--json", "--socket", path]);
    await until(() => output.stdout !== "");
    output.reader.abort();
    assert.equal(await done, 0);
  }));

/** An agent that answers so many questions, and then takes them and is silent. */
async function withHangingAgent(
  answers: number,
  play: (path: string, isHanging: () => boolean) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/control.sock`;
  const release = Promise.withResolvers<Response>();
  let asked = 0;
  const server = Deno.serve({ path, onListen: () => {} }, () => {
    asked++;
    return asked <= answers ? Response.json({ version: "1.2.3" }) : release.promise;
  });
  try {
    await play(path, () => asked > answers);
  } finally {
    release.resolve(new Response());
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("topCommand() tells an agent that hangs from one that is not there", () =>
  withHangingAgent(0, async (path) => {
    const { output, done } = start(["--socket", path]);
    assert.equal(await done, 1);
    assert.match(output.stderr, /does not answer in time: it hangs or is stopped/);
  }));

Deno.test("topCommand() ends at once on q, also while the agent hangs", () =>
  withHangingAgent(1, async (path, isHanging) => {
    const { output, screen, done } = start(["--socket", path], new FakeScreen(true));
    await until(isHanging);
    screen.press("q");
    assert.equal(await done, 0);
    assert.ok(output.stdout.endsWith("\x1b[?1049l"));
    assert.ok(!output.stdout.includes("does not answer"), "it did not wait for an answer");
  }));

Deno.test("topCommand() fails at once where no agent is, and tells how it is used", async () => {
  const away = start(["--socket", "/nowhere/s"]);
  assert.equal(await away.done, 1);
  assert.match(away.output.stderr, /No agent answers/);
  const unread = start(["--config", "/nowhere/c.json"]);
  assert.equal(await unread.done, 1);
  for (const args of [["--interval", "0"], ["--interval", "61"], ["--odd"], ["x"]]) {
    const wrong = start(args);
    assert.equal(await wrong.done, 2);
    assert.match(wrong.output.stderr, /Usage: azure-proxy-agent top/);
  }
  const help = start(["-h"]);
  assert.equal(await help.done, 0);
  assert.match(help.output.stdout, /q ends it/);
});
