/** Thousands of connections at once: every one answered, and attributed to its own user and process. */
import assert from "node:assert/strict";
import { PYTHON } from "../kernel/machine.ts";
import { e2eTest, memoryKb, type Scene } from "./scene.ts";

interface Crowd {
  readonly users: number;
  readonly processes: number;
  readonly connections: number;
}

/** What a connection knows of itself: user, group, process, source. */
interface Member {
  readonly who: string;
  readonly status: string;
  readonly ms: number;
}

async function gather(
  scene: Scene,
  { users, processes, connections }: Crowd,
): Promise<{ tookMs: number; members: Member[] }> {
  const { code, stdout, stderr } = await scene.world.sandbox.run(
    [PYTHON, await scene.place("crowd.py"), ...[users, processes, connections].map(String)],
  );
  assert.equal(code, 0, stderr);
  const [took = "", ...lines] = stdout.trim().split("\n");
  const members = lines.map((line) => {
    const [uid, gid, pid, address, port, status = "", ms = ""] = line.split(" ");
    return { who: `${uid}.${gid}.${pid}.${address}.${port}`, status, ms: Number(ms) };
  });
  return { tookMs: Number(took), members };
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/** Everybody got 200; the host saw as many signed requests; the log says of each who it was, and nothing else. */
async function assertEachIsKnown(scene: Scene, crowd: Crowd): Promise<void> {
  const all = crowd.users * crowd.processes * crowd.connections;
  const pid = scene.world.agentPid!;
  const before = (await scene.verdicts()).imds;
  const { value: { tookMs, members }, audit } = await scene.observe(() => gather(scene, crowd));
  const after = (await scene.verdicts()).imds;

  const byStatus: Record<string, number> = {};
  for (const { status } of members) byStatus[status] = (byStatus[status] ?? 0) + 1;
  const trouble = audit.filter((line) => line["decision"] !== "allow").slice(0, 3);
  assert.deepEqual(byStatus, { "200": all }, JSON.stringify({ byStatus, trouble }));
  assert.equal(new Set(members.map(({ who }) => who)).size, all);
  assert.deepEqual(after, { ...before, signed: before.signed + all });

  const records = audit.filter((line) => String(line["url"]).includes("who="));
  const notOwn = records.filter((line) => {
    const claimed = String(line["url"]).split("who=")[1];
    const { uid, gid, pid: process, clientIp, clientPort } = line;
    return claimed !== `${uid}.${gid}.${process}.${clientIp}.${clientPort}`;
  });
  assert.deepEqual(notOwn.slice(0, 3), []);
  const recorded = new Set(records.map((line) => String(line["url"]).split("who=")[1]));
  const missing = members.filter(({ who }) => !recorded.has(who));
  assert.deepEqual([missing.slice(0, 3), records.length], [[], all]);
  assert.deepEqual(trouble, []);

  const times = members.map(({ ms }) => ms).sort((a, b) => a - b);
  console.log(JSON.stringify({
    ...crowd,
    tookMs,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    maxMs: times.at(-1),
    rssMb: Math.round(memoryKb(pid, "VmRSS") / 1024),
    peakMb: Math.round(memoryKb(pid, "VmHWM") / 1024),
  }));
}

e2eTest(
  "500 connections at once from one user are all answered and known",
  {},
  (scene) => assertEachIsKnown(scene, { users: 1, processes: 5, connections: 100 }),
);

e2eTest(
  "5,000 connections at once from 50 users are all answered and known, each to its own user and process",
  { limitMs: 120_000, simulatorArgs: ["--journal", "6000"] },
  (scene) => assertEachIsKnown(scene, { users: 50, processes: 4, connections: 25 }),
);
