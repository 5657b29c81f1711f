/**
 * What happened to each request, for people and tools that look later: the audit log with its rotation, and the counts for
 * the status document. It decides nothing about requests, and it never sees a key or a signature.
 *
 * Source: authorization 6 and 7.4 (W-18 to W-21), agent 3.6 and 4.3.
 * @module
 */
export { auditPart } from "./audit_part.ts";
export type { AuditDecision, AuditEntry, AuditTrail } from "./record.ts";
export { AUDIT_FILE_NAME, FileAuditTrail, type FileAuditTrailOptions } from "./trail.ts";
export { LINE_LIMITS, type LineClass, WriteBudget } from "./write_budget.ts";
