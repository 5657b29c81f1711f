import type { Caller } from "../../domain/identity/mod.ts";
import type { Mode, Refusal } from "../../domain/policy/mod.ts";
import type { EndpointName, SocketAddress } from "../../domain/wire/mod.ts";
import type { AuditDecision, AuditEntry } from "../audit/mod.ts";
import type { ClientConnection } from "./client_connection.ts";

/** What is known of a request so far; in the end its record. */
export class Exchange {
  method = "";
  target = "";
  destination: SocketAddress | null = null;
  endpoint: EndpointName | null = null;
  caller: Caller | null = null;
  mode: Mode | null = null;
  policyEpoch = 0;
  /** What Enforce would have said, when the policy only audits. */
  flagged: Refusal | null = null;
  signed = false;
  /** The caller left before it was answered. */
  isAbandoned = false;
  /** Whether the record was made. INVARIANT: exactly one for each request. */
  isRecorded = false;

  constructor(
    readonly id: number,
    readonly startedMs: number,
    readonly connection: ClientConnection,
  ) {}

  /** The record. `refusal` is `null` for a request that was served. */
  entry(status: number, refusal: Refusal | null, isError: boolean, nowMs: number): AuditEntry {
    const flagged = this.flagged;
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
    };
  }
}
