import { ControlServer, OtlpPush, type Sources } from "./agent/control/mod.ts";
import type { Config } from "./config.ts";
import type { Logger } from "./runtime/logger.ts";
import type { Supervised } from "./runtime/supervisor.ts";

/** The parts that tell others about this one; none where none is wanted. They come last: callers are served before. */
export function controlParts(
  config: Pick<Config, "controlSocket" | "otlpEndpoint" | "otlpIntervalMs">,
  sources: Sources,
  logger: Logger,
): Supervised[] {
  const { clock } = sources;
  const { controlSocket: path, otlpEndpoint: url, otlpIntervalMs: intervalMs } = config;
  const parts: Supervised[] = [];
  if (path !== null) {
    const part = new ControlServer({
      clock,
      logger: logger.child("control"),
      path,
      sources,
      random: Math.random,
    });
    parts.push({ part, upWithinMs: null });
  }
  if (url !== null) {
    parts.push({ part: new OtlpPush({ clock, url, intervalMs, sources }), upWithinMs: null });
  }
  return parts;
}
