import { type Measurement, median } from "./measurement.ts";
import type { BenchStage } from "./stage.ts";

const BATCHES = 100;
const CONNECTS = 1_000;

/** What the attached programs cost a connection that is none of their business. @throws Error when the client fails */
export async function measureConnectCost(stage: BenchStage): Promise<Measurement> {
  const { world, clients, plainCgroup } = stage;
  const { cgroup } = world.sandbox;
  const { code, stdout, stderr } = await world.sandbox.run([
    ...[clients.connectCost, cgroup, plainCgroup, String(BATCHES), String(CONNECTS)],
  ], { inCgroup: false });
  if (code !== 0) throw new Error(`the connect() client failed: ${stderr}`);
  const times = JSON.parse(stdout) as { with: number[]; without: number[] };
  const added = times.with.map((time, index) => time - (times.without[index] ?? NaN));
  return {
    id: "connect-cost",
    value: median(added),
    note: `connect() over loopback takes ${Math.round(median(times.without))} ns without programs`,
    details: { batches: BATCHES, connects: CONNECTS, added, ...times },
  };
}
