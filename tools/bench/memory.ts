import { failed, type Measurement } from "./measurement.ts";
import { type Memory, memoryOf, wholeCpuMs } from "./processes.ts";
import { type BenchStage, ORDINARY } from "./stage.ts";

const CONNECTIONS = 1_000;
const SETTLE_MS = 2_000;
const MB = 1e6;

/** Memory of an agent that has been left alone since it came up, and its share of a processor in the second half of that time. */
export async function measureIdle(stage: BenchStage, idleSeconds: number): Promise<Measurement[]> {
  const halfMs = idleSeconds * 500;
  await delay(halfMs);
  const cpuMs = wholeCpuMs(stage.agentPid);
  await delay(halfMs);
  const spentMs = wholeCpuMs(stage.agentPid) - cpuMs;
  const memory = memoryOf(stage.agentPid);
  return [
    {
      id: "idle-rss",
      value: memory.rss / MB,
      note: `after ${idleSeconds} s; ${shown(memory.anonymous)} of it private`,
      details: { idleSeconds, memory },
    },
    {
      id: "idle-cpu",
      value: spentMs / halfMs * 100,
      note: `${spentMs} ms in the last ${halfMs / 1000} s`,
      details: { idleSeconds, spentMs },
    },
  ];
}

/** Memory while many callers hold a connection on which each has asked once. */
export async function measureConnections(stage: BenchStage): Promise<Measurement> {
  const { sandbox } = stage.world;
  const before = memoryOf(stage.agentPid);
  const holder = sandbox.spawn([
    ...[stage.clients.holder, "169.254.169.254", "80", String(CONNECTIONS)],
    "/metadata/instance?api-version=2021-02-01",
  ], { user: ORDINARY, stdin: "piped", stderr: "null" });
  const reader = holder.stdout.getReader();
  const { value } = await reader.read();
  const held = JSON.parse(new TextDecoder().decode(value)) as { open: number; answered: number };
  await delay(SETTLE_MS);
  const during = memoryOf(stage.agentPid);
  await holder.stdin.close();
  await reader.cancel();
  await holder.status;
  await delay(SETTLE_MS);
  const after = memoryOf(stage.agentPid);
  const details = { held, before, during, after };
  if (held.answered !== CONNECTIONS) {
    return failed("rss-1000", `${held.open} opened, ${held.answered} answered`, details);
  }
  return {
    id: "rss-1000",
    value: during.rss / MB,
    note: `${shown(before.rss)} before, ${shown(after.rss)} when they had gone`,
    details,
  };
}

function shown(bytes: number): string {
  return `${(bytes / MB).toFixed(0)} MB`;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Memory of the agent at this moment, for the result's notes. */
export function memoryNow(stage: BenchStage): Memory {
  return memoryOf(stage.agentPid);
}
