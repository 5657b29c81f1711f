/** One agent after the other goes through the faults of the matrix: what is seen of each, that nothing is lost, that it heals by itself. */
import assert from "node:assert/strict";
import { verifyLog } from "../../src/agent/audit/mod.ts";
import { endure, healed } from "./faults/endure.ts";
import { FAULT_GROUPS } from "./faults/matrix.ts";
import { e2eTest } from "./scene.ts";
import { noneLost } from "./telemetry_events.ts";

/** Every event of the agent is told to the host at once, so that none can be lost unseen. */
const CONFIG = { telemetryIntervalInSeconds: 1, fileLogLevelForEvents: "Info" };

for (const { name, options, prepare, faults } of FAULT_GROUPS) {
  e2eTest(`faults: ${name}`, { ...options, config: CONFIG, started: false }, async (scene) => {
    const { world } = scene;
    await prepare?.(scene);
    await world.startAgent();
    await healed(scene);
    for (const fault of faults) {
      if (!await scene.step(fault.name, () => endure(scene, fault))) await healed(scene);
    }
    await noneLost(scene);
    assert.equal(await world.stopAgent(), 0);
    const log = { folder: world.logFolder };
    const { findings } = await verifyLog({ log, statusFiles: [], witnesses: [], fromSeq: null });
    assert.deepEqual(findings, [], "the audit log is one chain, from the first record to the last");
  });
}
