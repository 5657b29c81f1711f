import type { Caller } from "../../domain/identity/mod.ts";
import type { Mode, Refusal, VerdictRecord } from "../../domain/policy/mod.ts";
import type { EndpointName, SocketAddress } from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { AuditDecision, AuditEntry } from "../audit/mod.ts";
import type { ClientConnection } from "./client_connection.ts";

/** The way of a request in stages. */
export type Stage = "attributed" | "decided" | "complete" | "endorsed";

/** When each stage was over, monotonic milliseconds; `NaN` where it was not reached. */
export type StageTimes = Readonly<Record<Stage, number>> & { readonly received: number };

/** Told of each request once, right after its record. It must be quick, and may not throw. */
export interface ExchangeObserver {
  /** Whether the stages of each request are to be timed, not only of a few. */
  readonly timesAll: boolean;
  /** @param times `null` for a request whose stages were not timed: reading the clock costs more than all counting */
  observe(entry: AuditEntry, times: StageTimes | null): void;
}

/** Stages are timed for one request of so many. */
export const TIMED_ONE_OF = 16;

/** What is known of a request so far; in the end its record. */
export class Exchange {
  method = "";
  target = "";
  destination: SocketAddress | null = null;
  endpoint: EndpointName | null = null;
  caller: Caller | null = null;
  mode: Mode | null = null;
  policyEpoch = 0;
  /** What the rules said; `null` where none were asked. */
  verdict: VerdictRecord | null = null;
  /** What Enforce would have said, when the policy only audits. */
  flagged: Refusal | null = null;
  signed = false;
  /** The caller left before it was answered. */
  isAbandoned = false;
  /** Whether the record was made. INVARIANT: exactly one for each request. */
  isRecorded = false;
  /** `null` for a request whose stages are not timed. */
  readonly times: Record<Stage | "received", number> | null;

  constructor(
    readonly id: number,
    readonly startedMs: number,
    readonly connection: ClientConnection,
    timesAll: boolean,
  ) {
    this.times = timesAll || id % TIMED_ONE_OF === 1
      ? { received: startedMs, attributed: NaN, decided: NaN, complete: NaN, endorsed: NaN }
      : null;
  }

  /** A stage is over. */
  reached(stage: Stage, clock: Clock): void {
    if (this.times !== null) this.times[stage] = clock.monotonicMs();
  }

  /** The record. `refusal` is `null` for a request that was served. */
  entry(status: number, refusal: Refusal | null, isError: boolean, nowMs: number): AuditEntry {
    const { flagged, verdict } = this;
    let decision: AuditDecision = flagged === null ? "allow" : "flag";
    if (refusal !== null) decision = isError ? "error" : "deny";
    return {
      requestId: this.id,
      method: this.method,
      target: this.target,
      client: this.connection.peer,
      destination: this.destination,
      endpoint: this.endpoint,
      caller: this.caller,
      decision,
      reason: refusal?.reason ?? flagged?.reason ?? null,
      mode: this.mode,
      policyEpoch: this.policyEpoch,
      status,
      detail: refusal?.detail ?? flagged?.detail ?? "",
      signed: this.signed,
      elapsedMs: nowMs - this.startedMs,
      canonicalTarget: this.connection.canonicalTarget?.text ?? null,
      ruleSetId: verdict?.ruleSetId,
      privilege: verdict?.privilege,
      identity: verdict?.identity,
      compat: verdict?.compat,
      canonical: verdict?.canonical,
      canonCode: codeOf(verdict),
    };
  }
}

/** The code of a target without a canonical form, where rules asked for one. */
function codeOf(verdict: VerdictRecord | null): string | null {
  const canonical = verdict?.canonical;
  return canonical === undefined || canonical === "allow" || canonical === "deny"
    ? null
    : canonical;
}
