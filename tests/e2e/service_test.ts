/** What the service manager hears: ready, alive, stopping, and lines with a priority. */
import assert from "node:assert/strict";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { e2eTest, pause } from "./scene.ts";

interface Heard {
  readonly messages: readonly string[];
  readonly exit: number;
  readonly lines: readonly string[];
}

e2eTest(
  "a service manager hears that the agent is ready, lives and stops, and its journal priorities",
  {
    started: false,
    config: { fileLogLevelForSystemEvents: "Trace" },
  },
  async (scene) => {
    const { configFile, program, sandbox } = scene.world;
    const manager = await scene.python("clients/service_manager.py", [
      ...[sandbox.folder, "1000000", ...program, "console", "--config", configFile],
    ], { env: { ...denoEnvironment(), PATH: Deno.env.get("PATH") ?? "" } });
    assert.equal(await manager.line(), "ready");
    await pause(1_800);
    await manager.hears("stop");
    const { messages, exit, lines } = await manager.says<Heard>();
    assert.equal(await manager.ended(), 0);
    assert.equal(exit, 0);
    assert.equal(messages.filter((message) => message === "READY=1").length, 1);
    const alive = messages.filter((message) => message === "WATCHDOG=1").length;
    assert.ok(alive >= 3 && alive <= 8, `${alive} signs of life, one each half a second`);
    assert.equal(messages.filter((message) => message === "STOPPING=1").length, 1);
    assert.ok(messages.indexOf("READY=1") < messages.indexOf("STOPPING=1"));

    const spoken = lines.filter((line) => line !== "Press Enter to end it.");
    for (const line of spoken) assert.match(line, /^<[3467]>/);
    assert.match(
      spoken[0] ?? "",
      /^<6>=+ GuestProxyAgent \(.+\) is starting on Linux:.+-.+\((x86_64|aarch64)\), elapsed: \d+ /,
    );
    assert.ok(
      spoken.some((line) => /^<6>=+ GuestProxyAgent is stopping, elapsed: \d+$/.test(line)),
    );
    assert.ok(spoken.some((line) => line.startsWith("<7>")), "trace was asked for");
  },
);
