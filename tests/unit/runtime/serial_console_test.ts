import assert from "node:assert/strict";
import { SerialConsole } from "../../../src/runtime/serial_console.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

async function withConsole(
  body: (stand: {
    console: SerialConsole;
    clock: FakeClock;
    path: string;
    troubles: string[];
    text(): string;
  }) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/console`;
    await Deno.writeTextFile(path, "");
    const clock = new FakeClock();
    const troubles: string[] = [];
    const console = new SerialConsole({
      path,
      tag: "azure-proxy-agent_1.2.3(77)",
      clock,
      redact: (text) => text.replaceAll("hunter2", "[REDACTED]"),
      onTrouble: (cause) => troubles.push(cause),
    });
    await body({ console, clock, path, troubles, text: () => Deno.readTextFileSync(path) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("say() writes time, program, version and process before the message", () =>
  withConsole(({ console, clock, text }) => {
    console.say("Provision finished successfully");
    const time = new Date(clock.wallMs()).toISOString().slice(0, 23);
    assert.equal(text(), `${time} azure-proxy-agent_1.2.3(77) - Provision finished successfully\n`);
  }));

Deno.test("say() gives each line of a text one of its own, and escapes and redacts what is in it", () =>
  withConsole(({ console, text }) => {
    console.say("first\r\nsecond \u001b[2J hunter2\r\n");
    const messages = text().trimEnd().split("\n").map((line) => line.split(" - ")[1]);
    assert.deepEqual(messages, ["first", "second \\u001b[2J [REDACTED]"]);
  }));

Deno.test("say() cuts long messages and loses lines that come too fast", () =>
  withConsole(async ({ console, clock, text }) => {
    console.say("x".repeat(5000));
    assert.ok(text().length < 600);
    for (let i = 0; i < 100; i++) console.say("y");
    assert.equal(text().trimEnd().split("\n").length, 20);
    await clock.advance(5_000);
    console.say("later");
    assert.match(text(), /later\n$/);
  }));

Deno.test("say() tells once that the console cannot be written to, and never makes one", () =>
  withConsole(({ console, path, troubles }) => {
    Deno.removeSync(path);
    console.say("a");
    console.say("b");
    assert.equal(troubles.length, 1);
    assert.match(troubles[0] ?? "", /ENOENT/);
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  }));
