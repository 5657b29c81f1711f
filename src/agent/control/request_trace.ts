import type { LogFields, Logger } from "../../runtime/logger.ts";
import type { AuditEntry } from "../audit/mod.ts";
import type { Stage, StageTimes } from "../proxy/mod.ts";
import { decisionLine } from "./decision_line.ts";

const STAGES: readonly Stage[] = ["attributed", "decided", "complete", "endorsed"];

/**
 * A warning for each request, with the microseconds from its arrival to the end of each stage: for the hour in which
 * somebody looks for what is slow. Off unless `enableHttpProxyTrace` says otherwise. Source: agent 2, authorization 6.2.
 */
export class RequestTrace {
  isOn = false;
  readonly #logger: Logger;
  readonly #redact: (text: string) => string;

  /** `redact` takes secrets out of targets and details. */
  constructor(logger: Logger, redact: (text: string) => string) {
    this.#logger = logger;
    this.#redact = redact;
  }

  /** Writes the line. */
  tell(entry: AuditEntry, times: StageTimes | null, wallMs: number): void {
    const { kind: _, wallMs: __, ...facts } = decisionLine(entry, wallMs, this.#redact);
    const known = Object.entries({ ...facts, ...stageTimes(times) })
      .filter(([, value]) => value !== null && value !== "");
    this.#logger.warn("request", Object.fromEntries(known));
  }
}

/** Microseconds since the arrival, of the stages that were reached. */
function stageTimes(times: StageTimes | null): LogFields {
  if (times === null) return {};
  const reached = STAGES.filter((stage) => !Number.isNaN(times[stage]));
  return Object.fromEntries(
    reached.map((stage) => [`${stage}Us`, Math.round((times[stage] - times.received) * 1000)]),
  );
}
