/** A configuration that is broken when it is read again, and a port that somebody else holds at the start. */
import assert from "node:assert/strict";
import { PYTHON, Talker } from "../../kernel/machine.ts";
import { NOBODY, type Scene } from "../scene.ts";
import type { Fault, FaultGroup } from "./fault.ts";

/** The configuration's file becomes this, and the agent is told. */
function broken(
  name: string,
  change: (path: string, text: string) => Promise<void>,
  words: RegExp,
): Fault {
  return {
    name,
    async bring(scene) {
      const { configFile } = scene.world;
      const good = await Deno.readTextFile(configFile);
      await change(configFile, good);
      tell(scene);
      return async () => {
        await Deno.writeTextFile(configFile, good);
        tell(scene);
      };
    },
    callers: [200],
    recorded: null,
    status: { module: "configurationStatus", state: "STOPPED", words },
    doctor: ["config"],
    log: "configuration is refused",
  };
}

function tell(scene: Scene): void {
  Deno.kill(scene.world.agentPid!, "SIGHUP");
}

/** Faults of the configuration. */
export const CONFIGURATION: FaultGroup = {
  name: "configuration",
  options: { label: "fconf", limitMs: 60_000 },
  faults: [
    broken(
      "configuration is no JSON",
      (path) => Deno.writeTextFile(path, '{"logFolder": 5'),
      /stays in use: The configuration `.*` is wrong: no valid JSON at line 1/,
    ),
    broken(
      "configuration has a wrong value",
      (path, text) =>
        Deno.writeTextFile(
          path,
          JSON.stringify({ ...JSON.parse(text), pollKeyStatusIntervalInSeconds: "often" }),
        ),
      /stays in use: .*pollKeyStatusIntervalInSeconds/,
    ),
    broken("configuration is gone", (path) => Deno.remove(path), /stays in use: /),
  ],
};

/** Holds the listener's port, as a stranger, until it is told to go; then it says how many connections came. */
const SQUATTER = `
import select, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 3080))
s.listen()
print("ready")
sys.stdin.readline()
print(len(select.select([s], [], [], 0)[0]))
`;

/** The port of the listener. */
export const PORT: FaultGroup = {
  name: "port",
  options: { label: "fport" },
  faults: [{
    name: "listener port taken",
    async bring(scene) {
      const { sandbox } = scene.world;
      assert.equal(await scene.world.stopAgent(), 0);
      const squatter = new Talker(
        sandbox.spawn([PYTHON, "-uc", SQUATTER], { user: NOBODY, stdin: "piped" }),
        true,
      );
      assert.equal(await squatter.line(), "ready");
      await scene.world.spawnAgent();
      return async () => {
        await squatter.hears("enough");
        assert.equal(await squatter.line(), "0", "connections that reached the stranger");
        assert.equal(await squatter.ended(), 0);
        await scene.world.waitUntilReady();
      };
    },
    // They are left to the host, which refuses what is not signed.
    callers: [401],
    goesPast: true,
    recorded: null,
    status: {
      module: "proxyListenerStatus",
      state: "STOPPED",
      words: /^port 3080 of 127\.0\.0\.1 is taken by another process; .*ss -ltnp/,
    },
    doctor: ["listener", "status"],
    log: "listener",
    atStart: true,
    async during(scene) {
      for (const name of ["keyLatchStatus", "ebpfProgramStatus"]) {
        assert.equal((await scene.moduleStatus(name)).status, "RUNNING");
      }
    },
  }],
};
