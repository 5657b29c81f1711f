import { escapeUnsafe, truncateText } from "../../runtime/log_line.ts";
import type { AuditEntry } from "../audit/mod.ts";

/** Most UTF-16 units of the texts of a line. */
const LONGEST_TARGET = 1_024;
const LONGEST_TEXT = 256;
/** So many are looked through for secrets: the cut must not take away by what a secret is known. */
const LONGEST_REDACTED = 2 * LONGEST_TARGET;

/** One request as live views see it. Times are wall milliseconds, durations microseconds. */
export interface DecisionLine {
  readonly kind: "decision";
  readonly wallMs: number;
  readonly id: number;
  readonly endpoint: string | null;
  readonly method: string;
  /** Secrets are taken out, and it is cut to 1,024 characters. */
  readonly target: string;
  readonly verdict: "allow" | "flag" | "deny" | "error";
  readonly reason: string | null;
  readonly detail: string;
  readonly mode: string | null;
  readonly status: number;
  readonly signed: boolean;
  readonly elapsedUs: number;
  readonly policyEpoch: number;
  readonly ruleSetId: string | null;
  readonly privilege: string | null;
  readonly identity: string | null;
  /** `null` without a caller, as are the four that follow. */
  readonly uid: number | null;
  readonly user: string | null;
  readonly pid: number | null;
  readonly exe: string | null;
  readonly exeVerified: boolean | null;
}

/** What a live view is told of a request. `redact` takes secrets out of target and detail. */
export function decisionLine(
  entry: AuditEntry,
  wallMs: number,
  redact: (text: string) => string,
): DecisionLine {
  const { caller } = entry;
  const exe = caller?.exe ?? null;
  return {
    kind: "decision",
    wallMs,
    id: entry.requestId,
    endpoint: entry.endpoint,
    method: short(entry.method),
    target: withoutSecrets(entry.target, LONGEST_TARGET, redact),
    verdict: entry.decision,
    reason: entry.reason,
    detail: withoutSecrets(entry.detail, LONGEST_TEXT, redact),
    mode: entry.mode,
    status: entry.status,
    signed: entry.signed,
    elapsedUs: Math.round(entry.elapsedMs * 1000),
    policyEpoch: entry.policyEpoch,
    ruleSetId: shortOrNull(entry.ruleSetId),
    privilege: shortOrNull(entry.privilege),
    identity: shortOrNull(entry.identity),
    uid: caller?.record.uid ?? null,
    user: shortOrNull(caller?.account?.userName),
    pid: caller?.record.process.tgid ?? null,
    exe: exe === null ? null : short(exe.kind === "verified" ? exe.path : exe.shownPath),
    exeVerified: exe === null ? null : exe.kind === "verified",
  };
}

/** A line of JSON in which nothing can forge another line, or turn a terminal's text around. */
export function lineText(line: object): string {
  return `${escapeUnsafe(JSON.stringify(line))}\n`;
}

function withoutSecrets(text: string, max: number, redact: (text: string) => string): string {
  return truncateText(redact(truncateText(text, LONGEST_REDACTED)), max);
}

function short(text: string): string {
  return truncateText(text, LONGEST_TEXT);
}

function shortOrNull(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : short(text);
}
