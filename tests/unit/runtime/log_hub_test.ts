import assert from "node:assert/strict";
import { LogHub, LogLevels, type LogLine, type LogOutput } from "../../../src/runtime/log_hub.ts";
import type { LogLevel } from "../../../src/runtime/logger.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

const LEVELS: LogLevel[] = ["error", "warn", "info", "debug", "trace"];

function collect(level: LogLevel | null): { output: LogOutput; lines: LogLine[] } {
  const lines: LogLine[] = [];
  return { output: { level, sink: { write: (line) => lines.push(line) } }, lines };
}

function hub(outputs: LogOutput[], redact = (text: string) => text): LogHub {
  return new LogHub({ clock: new FakeClock(), redact, outputs });
}

Deno.test("LogHub.write() gives each output the levels it wants and the more severe ones", () => {
  const all = LEVELS.map((level) => collect(level));
  const silent = collect(null);
  const logger = hub([...all.map(({ output }) => output), silent.output]).logger();
  for (const level of LEVELS) logger[level](level);
  assert.deepEqual(all.map(({ lines }) => lines.length), [1, 2, 3, 4, 5]);
  assert.equal(silent.lines.length, 0);
  assert.deepEqual(all[2]?.lines.map((line) => line.level), ["error", "warn", "info"]);
});

Deno.test("LogHub.write() obeys a level that changes while the program runs", () => {
  const { output, lines } = collect("error");
  const logger = hub([output]).logger();
  logger.debug("unseen");
  output.level = "debug";
  logger.debug("seen");
  assert.deepEqual(lines.map((line) => line.message), ["seen"]);
});

Deno.test("LogHub.write() formats with the time, the part and redacted fields", () => {
  const { output, lines } = collect("info");
  const logger = hub([output], (text) => text.replace("hunter2", "***")).logger();
  logger.child("proxy").info("refused", { url: "/a?pw=hunter2" });
  assert.deepEqual(lines, [{
    wallMs: new FakeClock().wallMs(),
    level: "info",
    message: 'refused part=proxy url="/a?pw=***"',
  }]);
});

Deno.test("LogHub.write() formats nothing that no output wants", () => {
  const { output } = collect("warn");
  const logger = hub([output], () => assert.fail("formatted")).logger();
  logger.info("m", { a: "b" });
});

Deno.test("LogHub.write() survives a sink and a redaction that throw, and still serves the others", () => {
  const { output, lines } = collect("info");
  const broken: LogOutput = {
    level: "info",
    sink: {
      write: () => {
        throw new Error("broken");
      },
    },
  };
  hub([broken, output]).logger().info("m");
  assert.equal(lines.length, 1);
  hub([output], () => {
    throw new Error("broken");
  }).logger().info("m", { a: "b" });
});

Deno.test("LogLevels.set() changes what an output gets from the next line on", () => {
  const [file, console] = [collect("info"), collect(null)];
  const logger = hub([file.output, console.output]).logger();
  const levels = new LogLevels({ file: file.output, console: console.output, none: null });
  assert.deepEqual(levels.all(), { file: "info", console: null });
  logger.debug("unseen");
  assert.equal(levels.set("file", "debug"), true);
  assert.equal(levels.set("console", "error"), true);
  assert.equal(levels.set("none", "error"), false);
  logger.debug("seen");
  logger.error("both");
  assert.deepEqual(file.lines.map(({ message }) => message), ["seen", "both"]);
  assert.deepEqual(console.lines.map(({ message }) => message), ["both"]);
  assert.deepEqual(levels.all(), { file: "debug", console: "error" });
});
