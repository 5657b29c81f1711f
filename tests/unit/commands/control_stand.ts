import { ControlServer, type Sources } from "../../../src/agent/control/mod.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import { SystemClock } from "../../../src/runtime/system_clock.ts";
import { MemoryLogger } from "../../fakes/memory_logger.ts";
import { until } from "../../fakes/proxy_stand.ts";
import { stand } from "../agent/control/stand.ts";

/** Runs `play` with the socket of an agent whose every number is known. */
export async function withAgent(
  play: (path: string, sources: Sources, clock: Clock) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/run/control.sock`;
  const clock = new SystemClock();
  const { sources, stop } = stand();
  let isUp = false;
  const server = new ControlServer({
    clock,
    logger: new MemoryLogger(),
    path,
    sources,
    random: () => 0,
    ownerUid: Deno.uid() ?? 0,
  });
  const running = server.run(stop.signal, { report: (state) => void (isUp = state === "RUNNING") });
  try {
    await until(() => isUp);
    await play(path, sources, clock);
  } finally {
    stop.abort();
    await running;
    await Deno.remove(folder, { recursive: true });
  }
}
