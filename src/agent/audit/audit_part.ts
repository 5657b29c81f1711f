import type { Clock } from "../../runtime/clock.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import type { FileAuditTrail } from "./trail.ts";

const SWEEP_EVERY_MS = 1000;
/** How old the note of how far the log reaches may get, while it grows. */
const ANCHOR_EVERY_MS = 60_000;

/** The loop behind the audit log. When it ends, every count has been written; it must end after the last request. */
export function auditPart(trail: FileAuditTrail, clock: Clock): Part {
  return {
    name: "audit",
    async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
      trail.open();
      let told: string | null | undefined;
      let anchorDueMs = -Infinity;
      while (!signal.aborted) {
        const trouble = trail.trouble;
        if (trouble !== told) reportTrouble(trouble, health);
        told = trouble;
        if (clock.monotonicMs() >= anchorDueMs) {
          anchorDueMs = clock.monotonicMs() + ANCHOR_EVERY_MS;
          // Not waited for: a disk that hangs must not hold up the counts.
          void trail.keepAnchor();
        }
        await clock.sleep(SWEEP_EVERY_MS, signal);
        trail.sweep();
      }
      await trail.close();
    },
  };
}

function reportTrouble(trouble: string | null, health: HealthReporter): void {
  if (trouble === null) health.report("RUNNING", "AUDIT_LOG_OPEN", "Audit log is written");
  else health.report("STOPPED", "AUDIT_LOG_WRITE", `Audit log cannot be written: ${trouble}`);
}
