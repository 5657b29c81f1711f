/**
 * What happened to each request, for people and tools that look later: the audit log with its rotation, and the counts for
 * the status document. Each line is chained to the one before it, and the chain can be verified. It decides nothing about requests, and it never sees a key or a signature.
 *
 * Source: authorization 6, 7.4 (W-18 to W-21) and 9.6, agent 3.6 and 4.3.
 * @module
 */
export { auditPart } from "./audit_part.ts";
export { type Anchor, parseAnchor } from "./anchor.ts";
export { ANCHOR_FILE_NAME, ANCHOR_TEMPORARY_NAME, AUDIT_FILE_NAME } from "./file_names.ts";
export type { AuditDecision, AuditEntry, AuditTrail, RuleFacts } from "./record.ts";
export { FileAuditTrail, type FileAuditTrailOptions } from "./trail.ts";
export type { Finding, FindingKind, Remark, Witness } from "./verify.ts";
export { readWitness, verifyLog, type VerifyReport, type VerifyRequest } from "./verify_files.ts";
export { LINE_LIMITS, type LineClass, WriteBudget } from "./write_budget.ts";
