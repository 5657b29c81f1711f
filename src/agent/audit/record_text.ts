import { MAX_EVENT_MESSAGE_BYTES } from "../../domain/wire/mod.ts";
import type { Scalar } from "../../runtime/errors.ts";
import { formatTimestamp, stringifySafe, truncateText } from "../../runtime/log_line.ts";
import { type CallerFacts, kernelFacts } from "./caller_facts.ts";
import type { AuditEntry, RuleFacts } from "./record.ts";
import { pathOf } from "./repetitions.ts";
import { responseStatus } from "./response_status.ts";

/** Most UTF-16 units of a target and of a detail in a record, and of a method that nobody checked. */
const LONGEST_TARGET = 2048;
const LONGEST_DETAIL = 1024;
const LONGEST_METHOD = 32;
/** Most UTF-16 units of an id of rules, and of the name of a privilege, an identity or a code. */
const LONGEST_RULE_ID = 512;
const LONGEST_RULE_NAME = 128;
/** As much is looked at for secrets, so that one that begins before the cut is seen whole. */
const LONGEST_REDACTED = 4096;

/** What a closing summary says: requests alike, counted instead of written. */
export interface Repetition {
  readonly method: string;
  /** Path of the target as it stands in the key of the bucket. */
  readonly path: string;
  readonly ip: string;
  readonly port: number;
  readonly facts: CallerFacts;
  readonly status: number;
  readonly decision: string;
  readonly reason: string | null;
  readonly mode: string | null;
  readonly endpoint: string | null;
  readonly policyEpoch: number;
  /** What the rules said of all of them. */
  readonly rules: RuleFacts;
  /** `id` of the first request of the bucket. */
  readonly firstId: number;
  /** Requests of the bucket that have no record of their own. */
  readonly count: number;
  /** When the bucket began and when its last request came, wall milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** The request target as it may be shown: redacted, then cut. */
export function shownTarget(target: string, redact: (text: string) => string): string {
  return truncateText(redact(truncateText(target, LONGEST_REDACTED)), LONGEST_TARGET);
}

/** What everybody's records say of a request, in its order. Source: authorization 6.3, wire-protocol 8.8. */
function connectionMembers(
  entry: AuditEntry,
  facts: CallerFacts,
  redact: (text: string) => string,
) {
  const detail = truncateText(entry.detail, LONGEST_REDACTED);
  return {
    id: entry.requestId,
    method: truncateText(entry.method, LONGEST_METHOD),
    url: shownTarget(entry.target, redact),
    clientIp: entry.client.address,
    clientPort: entry.client.port,
    ip: entry.destination?.address ?? "None",
    port: entry.destination?.port ?? 0,
    userId: facts.userId,
    userName: facts.userName,
    userGroups: facts.userGroups,
    processFullPath: facts.processFullPath,
    processCmdLine: facts.processCmdLine,
    runAsElevated: facts.runAsElevated,
    responseStatus: responseStatus(entry.status),
    elapsedTime: Math.floor(entry.elapsedMs),
    errorDetails: truncateText(redact(detail), LONGEST_DETAIL),
  };
}

/**
 * The same alone, as telemetry tells of the first request of its kind: at most as long as an event may be, so that it stays
 * a document. Where it would be longer, each long text in it is cut, the list of groups left out.
 */
export function connectionText(
  entry: AuditEntry,
  facts: CallerFacts,
  redact: (text: string) => string,
): string {
  const members = connectionMembers(entry, facts, redact);
  let text = stringifySafe(members);
  for (let longest = 1024; byteLength(text) > MAX_EVENT_MESSAGE_BYTES && longest > 32;) {
    longest /= 2;
    const { userName, url, processFullPath, processCmdLine, errorDetails } = members;
    text = stringifySafe({
      ...members,
      url: truncateText(url, longest),
      userName: truncateText(userName, longest),
      userGroups: [],
      processFullPath: truncateText(processFullPath, longest),
      processCmdLine: truncateText(processCmdLine, longest),
      errorDetails: truncateText(errorDetails, longest),
    });
  }
  return text;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * One request as JSON: the members that tools know, in their order, then ours; the seal follows when it is written.
 * Source: authorization 6.3, 7.4.
 */
export function recordText(
  entry: AuditEntry,
  facts: CallerFacts,
  wallMs: number,
  redact: (text: string) => string,
): string {
  return stringifySafe({
    ...connectionMembers(entry, facts, redact),
    ts: formatTimestamp(wallMs) + "Z",
    decision: entry.decision,
    reason: entry.reason,
    mode: entry.mode,
    policyEpoch: entry.policyEpoch,
    ...shownRules(entry),
    canonPath: canonPath(entry.canonicalTarget ?? null, redact),
    endpoint: entry.endpoint,
    signed: entry.signed,
    elapsedUs: Math.round(entry.elapsedMs * 1000),
    ...kernelFacts(entry.caller),
  });
}

/** The end of a bucket as JSON: how many requests alike were not written, and when. Told apart by `summary` in place of `id`. */
export function repetitionText(
  repetition: Repetition,
  wallMs: number,
  redact: (text: string) => string,
): string {
  const { facts } = repetition;
  return stringifySafe({
    summary: "repeated",
    count: repetition.count,
    from: formatTimestamp(repetition.fromMs) + "Z",
    to: formatTimestamp(repetition.toMs) + "Z",
    firstId: repetition.firstId,
    method: repetition.method,
    path: shownTarget(repetition.path, redact),
    ip: repetition.ip,
    port: repetition.port,
    userId: facts.userId,
    userName: facts.userName,
    userGroups: facts.userGroups,
    processFullPath: facts.processFullPath,
    processCmdLine: facts.processCmdLine,
    runAsElevated: facts.runAsElevated,
    responseStatus: responseStatus(repetition.status),
    ts: formatTimestamp(wallMs) + "Z",
    decision: repetition.decision,
    reason: repetition.reason,
    mode: repetition.mode,
    policyEpoch: repetition.policyEpoch,
    ...shownRules(repetition.rules),
    endpoint: repetition.endpoint,
    uid: facts.uid,
    exeVerified: facts.exeVerified,
  });
}

/** Kinds of lines about the log itself. */
export type NoticeName = "chain" | "suppressed" | "overflow" | "lost" | "record-failed";

/** What the log says about itself, as JSON. Told apart by `notice` in place of `id`. */
export function noticeText(
  notice: NoticeName,
  members: Readonly<Record<string, Scalar>>,
  wallMs: number,
): string {
  return stringifySafe({
    notice,
    ...members,
    ts: formatTimestamp(wallMs) + "Z",
  });
}

function shownRules(rules: RuleFacts): Record<string, string | null> {
  return {
    ruleSetId: cut(rules.ruleSetId, LONGEST_RULE_ID),
    matchedPrivilege: cut(rules.privilege, LONGEST_RULE_NAME),
    matchedIdentity: cut(rules.identity, LONGEST_RULE_NAME),
    compat: rules.compat ?? null,
    canonical: cut(rules.canonical, LONGEST_RULE_NAME),
    canonError: cut(rules.canonCode, LONGEST_RULE_NAME),
  };
}

function canonPath(target: string | null, redact: (text: string) => string): string | null {
  return target === null ? null : shownTarget(pathOf(target), redact);
}

function cut(text: string | null | undefined, longest: number): string | null {
  return text === null || text === undefined ? null : truncateText(text, longest);
}
