/**
 * Tools for authors of rules and for operators: check a document, explain a decision, compare two policies, suggest rules for
 * what was seen. All of them ask the engine that the agent runs; nothing here decides by itself, and nothing is changed.
 *
 * Not here: reading the command line and printing (`commands`), the rules' meaning (`domain/policy`).
 *
 * Source: authorization 9.5 and 9.7.
 * @module
 */
export { readAuditFiles } from "./audit_files.ts";
export { type AuditLine, LONGEST_AUDIT_LINE_BYTES, readAuditLine } from "./audit_line.ts";
export { BatchAnswerer, errorAnswer, LONGEST_BATCH_LINE_BYTES, MATCHINGS } from "./batch.ts";
export { CALLER_SYNTAX, callerOfText } from "./caller_text.ts";
export { checkDocument, type CheckReport } from "./check.ts";
export { PolicyDiff } from "./diff.ts";
export { diffJson, diffText } from "./diff_text.ts";
export { FileExeInspector } from "./exe_facts.ts";
export { explainJson, type ExplainQuestion, explainRequest } from "./explain.ts";
export { explainText } from "./explain_text.ts";
export { type ByteSource, readLines } from "./line_splitter.ts";
export { newestDump } from "./newest_dump.ts";
export { requestOfText } from "./request_text.ts";
export {
  DOCUMENT_KINDS,
  type DocumentKind,
  kindText,
  readRuleDocument,
  type RuleDocument,
} from "./rule_document.ts";
export { type ToolPolicy, toolPolicy } from "./tool_policy.ts";
export { suggestFromFiles } from "./suggest_run.ts";
export { isIncomplete, suggestJson, suggestText } from "./suggest_text.ts";
