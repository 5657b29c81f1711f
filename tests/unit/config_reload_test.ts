import assert from "node:assert/strict";
import { decodeConfig } from "../../src/config.ts";
import type { ConfigRefusal, LoadedConfig } from "../../src/config_file.ts";
import { ConfigReload } from "../../src/config_reload.ts";
import { err, ok, type Result } from "../../src/runtime/result.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MemoryLogger } from "../fakes/memory_logger.ts";

const FOLDERS = { logFolder: "/l", eventFolder: "/e", latchKeyFolder: "/k" };

function loaded(keys: Record<string, unknown>): LoadedConfig {
  const decoded = decodeConfig(JSON.stringify({ ...FOLDERS, ...keys }), {
    namedFile: false,
    environment: () => undefined,
  });
  assert.ok(decoded.ok);
  return { ...decoded.value, path: "/etc/c.json" };
}

async function withStand(
  body: (stand: {
    answer: (next: Result<LoadedConfig, ConfigRefusal>) => Promise<void>;
    asked: () => void;
    loads: () => number;
    health: string[];
    applied: string[];
    logger: MemoryLogger;
  }) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  const health: string[] = [];
  const applied: string[] = [];
  let asked = () => {};
  let loads = 0;
  let next: Result<LoadedConfig, ConfigRefusal> = ok(loaded({}));
  const reload = new ConfigReload(
    {
      loaded: loaded({}),
      load: () => {
        loads++;
        return Promise.resolve(next);
      },
      onAsked: (callback) => asked = callback,
    },
    {
      fileLogLevel: (config) => applied.push(`level ${config.fileLogLevel}`),
      pollKeyStatusIntervalInSeconds: (config) =>
        applied.push(`poll ${config.pollKeyStatusIntervalMs}`),
    },
    logger,
  );
  const stop = new AbortController();
  const running = reload.run(stop.signal, {
    report: (state, code, message) => health.push(`${state} ${code} ${message}`),
  });
  try {
    await body({
      answer: async (value) => {
        next = value;
        asked();
        await clock.settle();
      },
      asked: () => asked(),
      loads: () => loads,
      health,
      applied,
      logger,
    });
  } finally {
    stop.abort();
    await running;
  }
}

Deno.test("run() applies what has changed and can be applied, and nothing else", () =>
  withStand(async ({ answer, health, applied, logger }) => {
    await answer(ok(loaded({ fileLogLevel: "debug" })));
    assert.deepEqual(applied, ["level debug"]);
    assert.equal(health.at(-1), "RUNNING CONFIG_LOADED Configuration of /etc/c.json");
    assert.ok(logger.lines.some((line) => JSON.stringify(line).includes("configuration changed")));
    await answer(ok(loaded({ fileLogLevel: "debug", pollKeyStatusIntervalInSeconds: 2 })));
    assert.deepEqual(applied, ["level debug", "poll 2000"]);
    await answer(ok(loaded({})));
    assert.deepEqual(applied, ["level debug", "poll 2000", "poll 15000", "level info"]);
  }));

Deno.test("run() tells what needs a restart, until the file says again what counts", () =>
  withStand(async ({ answer, health, applied, logger }) => {
    await answer(ok(loaded({ cgroupRoot: "/c", fileLogLevel: "trace" })));
    assert.deepEqual(applied, ["level trace"]);
    const told =
      "RUNNING CONFIG_LOADED Configuration of /etc/c.json; a restart is needed for cgroupRoot";
    assert.equal(health.at(-1), told);
    assert.ok(logger.lines.some((line) => JSON.stringify(line).includes("needs a restart")));
    await answer(ok(loaded({ cgroupRoot: "/c" })));
    assert.equal(health.at(-1), told);
    await answer(ok(loaded({})));
    assert.equal(health.at(-1), "RUNNING CONFIG_LOADED Configuration of /etc/c.json");
  }));

Deno.test("run() keeps the configuration before when the file is broken, says so, and heals", () =>
  withStand(async ({ answer, health, applied, logger }) => {
    const problems = [
      "The configuration `/etc/c.json` is wrong: no valid JSON at line 1, column 2",
    ];
    await answer(err({ kind: "wrong", problems, warnings: ["`x` is odd"] }));
    assert.ok(logger.lines.some((line) => JSON.stringify(line).includes("`x` is odd")));
    assert.deepEqual(applied, []);
    assert.equal(
      health.at(-1),
      `STOPPED CONFIG_REFUSED The configuration before stays in use: ${problems[0]}`,
    );
    assert.ok(logger.lines.some((line) => JSON.stringify(line).includes("is refused")));
    await answer(ok(loaded({ fileLogLevel: "warn" })));
    assert.deepEqual(applied, ["level warn"]);
    assert.match(health.at(-1) ?? "", /^RUNNING CONFIG_LOADED/);
  }));

Deno.test("run() makes one wish of many", () =>
  withStand(async ({ answer, asked, loads }) => {
    for (let i = 0; i < 100; i++) asked();
    await answer(ok(loaded({})));
    assert.ok(loads() >= 1 && loads() <= 2, `${loads()}`);
  }));
