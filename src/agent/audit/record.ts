import type { EndpointName } from "../../domain/wire/endpoints.ts";
import type { Mode } from "../../domain/policy/snapshot.ts";
import type { Refusal, RefusalReason } from "../../domain/policy/refusal.ts";

/** `allow`: forwarded. `flag`: forwarded though the policy would refuse (Audit). `deny`: refused by policy or guard. `error`: could not be served. */
export type AuditDecision = "allow" | "flag" | "deny" | "error";

/** What the rules said of a request. All absent or `null` where none were asked. */
export interface RuleFacts {
  /** Id of the rules that decided; `null` where none did. */
  readonly ruleSetId?: string | null | undefined;
  /** The privilege and the identity that granted the request, or the first privilege that matched and refused it. */
  readonly privilege?: string | null | undefined;
  readonly identity?: string | null | undefined;
  /** Why the target has no canonical spelling. */
  readonly canonCode?: string | null | undefined;
  /** What the two matchers say, each on its own; the canonical one may answer with a code. */
  readonly compat?: "allow" | "deny" | null | undefined;
  readonly canonical?: string | null | undefined;
}

/**
 * What happened to one request. Exactly one per request, whatever the exit. Everything the log needs and nothing secret.
 * Text fields are raw here; the writer truncates and escapes. Source: authorization 6.3 and 7.4.
 */
export interface AuditEntry extends RuleFacts {
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
  /** The target in its canonical spelling; `null` where it has none. */
  readonly canonicalTarget?: string | null | undefined;
}

/** Where audit entries go. `record` never throws and never waits: a denial is on its way to the disk when it returns. */
export interface AuditTrail {
  /**
   * Records the request. Returns `null`, or the refusal that must be the answer instead: an allowed access to a sensitive
   * target in Enforce is not answered without its record. The trail has then recorded the request as refused.
   * Source: authorization W-19.
   */
  record(entry: AuditEntry): Refusal | null;
}
