import type { EndpointName } from "../../domain/wire/endpoints.ts";
import type { Mode } from "../../domain/policy/snapshot.ts";
import type { RefusalReason } from "../../domain/policy/refusal.ts";

/** `allow`: forwarded. `flag`: forwarded though the policy would refuse (Audit). `deny`: refused by policy or guard. `error`: could not be served. */
export type AuditDecision = "allow" | "flag" | "deny" | "error";

/**
 * What happened to one request. Exactly one per request, whatever the exit. Everything the log needs and nothing secret.
 * Text fields are raw here; the writer truncates and escapes. Source: authorization 6.3 and 7.4.
 */
export interface AuditEntry {
  readonly requestId: number;
  readonly method: string;
  /** Request target as received. */
  readonly target: string;
  readonly client: { readonly address: string; readonly port: number };
  /** `null` when the connection could not be attributed. */
  readonly destination: { readonly address: string; readonly port: number } | null;
  readonly endpoint: EndpointName | null;
  /** `null` when there are no claims. */
  readonly caller: import("../../domain/identity/caller.ts").Caller | null;
  readonly decision: AuditDecision;
  readonly reason: RefusalReason | null;
  readonly mode: Mode | null;
  readonly policyEpoch: number;
  /** Status the client received; 0 when the connection was cut without an answer. */
  readonly status: number;
  /** For people; `""` on success. */
  readonly detail: string;
  /** Whether a signature was added. */
  readonly signed: boolean;
  /** Milliseconds from receipt to the reply's head. */
  readonly elapsedMs: number;
}

/** Where audit entries go. `record` never throws and never waits: a denial is on its way to the disk when it returns. */
export interface AuditTrail {
  record(entry: AuditEntry): void;
}
