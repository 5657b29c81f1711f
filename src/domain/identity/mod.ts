/**
 * Who is calling, as values: kernel facts, what was looked up around them, what is told to the host and to the log.
 * Nothing is read from the system here; `agent/caller` does that.
 *
 * Source: wire-protocol 6, 8.3, authorization 5 and 7.1.
 * @module
 */
export * from "./caller.ts";
export * from "./claims_document.ts";
export * from "./claims_header.ts";
export * from "./connection_record.ts";
export { MAX_REDACTION_BYTES, redact, redactedText, REDACTION_MARK } from "./redaction.ts";
