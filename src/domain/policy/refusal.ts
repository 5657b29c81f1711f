/** Why a request was refused. Stable words, shared by the log, the audit record and the command line. */
export type RefusalReason =
  // guard rails, before any identity
  | "bad-request"
  | "ambiguous-target"
  | "method-not-allowed"
  | "body-too-large"
  | "head-too-large"
  | "path-traversal"
  | "header-not-ascii"
  // identity
  | "direct-connection"
  | "unattributed"
  | "caller-gone"
  | "unknown-destination"
  // policy
  | "not-elevated"
  /** A privilege matched, and none of its identities is the caller. */
  | "rule-denied"
  /** No privilege matched, and the default is to deny. */
  | "default-denied"
  /** The target has no canonical form, or one that is not accepted; the code stands in the detail. */
  | "not-canonical"
  /** Rules as written allow it, rules on the canonical request do not. */
  | "matchers-disagree"
  | "agent-listener"
  | "policy-closed"
  | "policy-unavailable"
  // local endpoints
  | "metadata-header-missing"
  | "status-needs-elevated"
  // forwarding
  | "upstream-unreachable"
  | "upstream-failed"
  | "upstream-timeout"
  | "body-incomplete"
  | "body-timeout"
  | "signing-failed"
  /** The access could not be written to the audit log. */
  | "audit-unavailable"
  | "internal-error"
  | "shutting-down"
  | "too-many-connections";

/** A request that gets no further. The client sees the status and an empty body; reason and detail go to the record. */
export interface Refusal {
  readonly status: number;
  readonly reason: RefusalReason;
  /** For people; never a secret. */
  readonly detail: string;
}
