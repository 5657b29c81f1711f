import { formatTimestamp, stringifySafe, truncateText } from "../../runtime/log_line.ts";
import { type CallerFacts, kernelFacts } from "./caller_facts.ts";
import type { AuditEntry } from "./record.ts";
import { responseStatus } from "./response_status.ts";

/** Most UTF-16 units of a target and of a detail in a record, and of a method that nobody checked. */
const LONGEST_TARGET = 2048;
const LONGEST_DETAIL = 1024;
const LONGEST_METHOD = 32;
/** As much is looked at for secrets, so that one that begins before the cut is seen whole. */
const LONGEST_REDACTED = 4096;

/** When a line is written, and which line of this process it is. Gaps in `seq` are lines that were lost. */
export interface LineStamp {
  readonly wallMs: number;
  readonly seq: number;
}

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

/**
 * One request as JSON: the members that tools know, in their order, then ours.
 * Source: authorization 6.3, 7.4.
 */
export function recordText(
  entry: AuditEntry,
  facts: CallerFacts,
  stamp: LineStamp,
  redact: (text: string) => string,
): string {
  const detail = truncateText(entry.detail, LONGEST_REDACTED);
  return stringifySafe({
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
    ts: formatTimestamp(stamp.wallMs) + "Z",
    seq: stamp.seq,
    decision: entry.decision,
    reason: entry.reason,
    mode: entry.mode,
    policyEpoch: entry.policyEpoch,
    endpoint: entry.endpoint,
    signed: entry.signed,
    elapsedUs: Math.round(entry.elapsedMs * 1000),
    ...kernelFacts(entry.caller),
  });
}

/** The end of a bucket as JSON: how many requests alike were not written, and when. Told apart by `summary` in place of `id`. */
export function repetitionText(
  repetition: Repetition,
  stamp: LineStamp,
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
    ts: formatTimestamp(stamp.wallMs) + "Z",
    seq: stamp.seq,
    decision: repetition.decision,
    reason: repetition.reason,
    mode: repetition.mode,
    endpoint: repetition.endpoint,
    uid: facts.uid,
    exeVerified: facts.exeVerified,
  });
}

/** What the log says about itself, as JSON. Told apart by `notice` in place of `id`. */
export function noticeText(
  notice: "suppressed" | "overflow" | "lost" | "record-failed",
  members: Readonly<Record<string, string | number | null>>,
  stamp: LineStamp,
): string {
  return stringifySafe({
    notice,
    ...members,
    ts: formatTimestamp(stamp.wallMs) + "Z",
    seq: stamp.seq,
  });
}
