import type { SummaryEntry } from "../../domain/wire/status_document.ts";
import type { Clock } from "../../runtime/clock.ts";
import { formatHeader } from "../../runtime/log_line.ts";
import type { Logger, LogLevel } from "../../runtime/logger.ts";
import { RateLimit } from "../../runtime/rate_limit.ts";
import { type LostLines, RollingFile } from "../../runtime/rolling_file.ts";
import { type Known, KnownCallers } from "./known_callers.ts";
import type { AuditEntry, AuditTrail } from "./record.ts";
import { type LineStamp, noticeText, recordText, repetitionText } from "./record_text.ts";
import { type Bucket, Repetitions } from "./repetitions.ts";
import { isSensitiveTarget } from "./sensitive_target.ts";
import { countIn, SummaryTable } from "./summaries.ts";
import { type LineClass, WriteBudget } from "./write_budget.ts";

/** The file's name is a contract. Source: authorization 6.1. */
export const AUDIT_FILE_NAME = "ProxyAgent.Connection.log";

/** Closing summaries in one sweep: so many take about a millisecond. */
const MOST_CLOSED_PER_SWEEP = 100;
/** Lines about suppressed lines in one sweep. */
const MOST_NOTICES_PER_SWEEP = 64;
/** Closing summaries of buckets that had to make room. */
const EVICTION_LIMITS = { burst: 1000, perSecond: 50 } as const;

export interface FileAuditTrailOptions {
  readonly clock: Clock;
  /** `null`: no file is kept, only the counts for the status document. */
  readonly folder: string | null;
  /** Takes secrets out of targets and details. */
  readonly redact: (text: string) => string;
  readonly logger: Logger;
  readonly budget?: WriteBudget;
  readonly maxBytes?: number;
  readonly mostBuckets?: number;
}

/**
 * Writes the audit log. Each refusal, each flagged request, each error, each access to a sensitive target and the first
 * request of its kind have a record of their own (within the write budget of the user); the others are counted, and the
 * counts are written when the bucket ends.
 *
 * INVARIANT: records + counts of closing summaries + counts of overflow notices = requests, once `close` has returned.
 * INVARIANT: nothing thrown in here reaches the caller. Source: authorization 6, 7.4 (W-18 to W-21).
 */
export class FileAuditTrail implements AuditTrail {
  readonly #clock: Clock;
  readonly #redact: (text: string) => string;
  readonly #logger: Logger;
  readonly #file: RollingFile | null;
  readonly #budget: WriteBudget;
  readonly #repetitions: Repetitions;
  readonly #evictions = new RateLimit(EVICTION_LIMITS);
  readonly #complaints = new RateLimit({ burst: 1, perSecond: 0.1 });
  readonly #callers = new KnownCallers();
  readonly #connections = new SummaryTable();
  readonly #failed = new SummaryTable();
  #seq = 0;
  #requestCount = 0;
  #overflow = 0;
  #trouble: string | null = null;

  constructor(options: FileAuditTrailOptions) {
    this.#clock = options.clock;
    this.#redact = options.redact;
    this.#logger = options.logger;
    this.#budget = options.budget ?? new WriteBudget();
    this.#repetitions = new Repetitions(
      (bucket, why) => this.#bucketClosed(bucket, why),
      options.mostBuckets,
    );
    this.#file = options.folder === null ? null : new RollingFile({
      folder: options.folder,
      name: AUDIT_FILE_NAME,
      clock: options.clock,
      ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
      lossNotice: (lost) => this.#lossNotice(lost),
      onTrouble: (cause) => this.#troubleChanged(cause),
    });
  }

  record(entry: AuditEntry): void {
    try {
      this.#record(entry);
    } catch (error) {
      this.#recordFailed(entry, error);
    }
  }

  /** Requests since start. */
  get requestCount(): number {
    return this.#requestCount;
  }

  /** Opens the file, so that one which cannot be written is known before the first request. */
  open(): void {
    this.#file?.open();
  }

  /** Why the file cannot be written; `null` while it can. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** All requests of the last four hours, counted by caller, destination and status. */
  connectionSummary(): SummaryEntry[] {
    return this.#connections.list(this.#clock.monotonicMs());
  }

  /** The same of requests that failed authorization, or would have in Enforce. */
  failedAuthenticationSummary(): SummaryEntry[] {
    return this.#failed.list(this.#clock.monotonicMs());
  }

  /** Closes buckets whose time is over and tells what was suppressed. To be called every second; bounded work. */
  sweep(): void {
    this.#repetitions.sweep(this.#clock.monotonicMs(), MOST_CLOSED_PER_SWEEP);
    this.#tellSuppressed();
  }

  /** Writes all counts and lets the file go. */
  close(): void {
    this.#repetitions.closeAll();
    this.#tellSuppressed();
    this.#file?.close();
  }

  #record(entry: AuditEntry): void {
    this.#requestCount++;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#callers.of(entry);
    const open = this.#repetitions.find(known, entry, nowMs);
    const lineClass = lineClassOf(entry, open);
    // The line is written before anything is counted: a failure in between must not hide later requests of the kind.
    const written = lineClass !== null &&
      this.#budget.admit(known.facts.uid, lineClass, nowMs) &&
      this.#writeRecord(entry, known);
    const bucket = open ?? this.#repetitions.open(known, entry, nowMs);
    bucket.lastMs = nowMs;
    bucket.count++;
    if (written) bucket.written++;
    this.#count(known, entry, nowMs);
  }

  #writeRecord(entry: AuditEntry, known: Known): boolean {
    if (this.#file === null) return false;
    return this.#writeNow("info", (stamp) => recordText(entry, known.facts, stamp, this.#redact));
  }

  #count(known: Known, entry: AuditEntry, nowMs: number): void {
    // A flagged request is denied in the one summary and shows its real status in the other.
    if (isFailedAuthorization(entry)) {
      const status = entry.decision === "flag" ? 403 : entry.status;
      countIn(this.#failed.slot(known, entry, status, nowMs), nowMs);
    }
    let slot = known.slots.get(entry.status);
    if (slot === undefined || !slot.live) {
      slot = this.#connections.slot(known, entry, entry.status, nowMs);
      if (!this.#connections.isOther(slot)) known.slots.set(entry.status, slot);
    }
    countIn(slot, nowMs);
  }

  #bucketClosed(bucket: Bucket, why: "ended" | "evicted"): void {
    const count = bucket.count - bucket.written;
    if (count === 0 || this.#file === null) return;
    const nowMs = this.#clock.monotonicMs();
    if (why === "evicted" && !this.#evictions.admit(nowMs)) {
      this.#overflow += count;
      return;
    }
    // Wall times are worked out backwards from now: the wall clock may have jumped since.
    const wallMs = this.#clock.wallMs();
    const { requestId, ...first } = bucket.first;
    this.#writeSoon("info", (stamp) =>
      repetitionText(
        {
          ...first,
          firstId: requestId,
          path: bucket.key.slice(bucket.pathAt),
          ip: bucket.ip,
          port: bucket.port,
          facts: bucket.facts,
          count,
          fromMs: wallMs - (nowMs - bucket.startMs),
          toMs: wallMs - (nowMs - bucket.lastMs),
        },
        stamp,
        this.#redact,
      ));
  }

  #tellSuppressed(): void {
    const suppressed = this.#budget.takeSuppressed();
    for (const { uid, class: lineClass, count } of suppressed.slice(0, MOST_NOTICES_PER_SWEEP)) {
      this.#writeNotice("suppressed", { uid, class: lineClass, count });
    }
    const rest = suppressed.slice(MOST_NOTICES_PER_SWEEP);
    if (rest.length > 0) {
      const count = rest.reduce((sum, one) => sum + one.count, 0);
      this.#writeNotice("suppressed", { uid: null, class: "several", users: rest.length, count });
    }
    if (this.#overflow > 0) {
      this.#writeNotice("overflow", { count: this.#overflow });
      this.#overflow = 0;
    }
  }

  #writeNotice(
    notice: "suppressed" | "overflow",
    members: Readonly<Record<string, string | number | null>>,
  ): void {
    if (this.#file === null) return;
    this.#writeSoon("warn", (stamp) => noticeText(notice, members, stamp));
  }

  #writeNow(level: LogLevel, text: (stamp: LineStamp) => string): boolean {
    return this.#file?.writeNow(this.#line(level, text)) ?? false;
  }

  #writeSoon(level: LogLevel, text: (stamp: LineStamp) => string): void {
    this.#file?.writeSoon(this.#line(level, text));
  }

  #line(level: LogLevel, text: (stamp: LineStamp) => string): string {
    const stamp = { wallMs: this.#clock.wallMs(), seq: ++this.#seq };
    return formatHeader(stamp.wallMs, level) + text(stamp);
  }

  #lossNotice(lost: LostLines): string {
    const since = new Date(lost.sinceWallMs).toISOString();
    const members = { count: lost.count, since, cause: lost.cause };
    return this.#line("warn", (stamp) => noticeText("lost", members, stamp));
  }

  #troubleChanged(cause: string | null): void {
    this.#trouble = cause;
    if (cause === null) this.#logger.warn("audit log can be written again");
    else this.#logger.error("audit log cannot be written", { cause });
  }

  /** A record that could not be made still leaves a line with what cannot fail. */
  #recordFailed(entry: AuditEntry, error: unknown): void {
    try {
      const members = { id: entry.requestId, status: entry.status, decision: entry.decision };
      if (this.#budget.admit(null, "refusal", this.#clock.monotonicMs())) {
        this.#writeNow("error", (stamp) => noticeText("record-failed", members, stamp));
      }
      if (!this.#complaints.admit(this.#clock.monotonicMs())) return;
      const cause = error instanceof Error ? error.message : String(error);
      this.#logger.error("audit record could not be made", { id: entry.requestId, cause });
    } catch {
      // INVARIANT of this class; there is nowhere left to tell it.
    }
  }
}

/** Why the request deserves a record of its own; `null` when it is one more of a kind that has one. */
function lineClassOf(entry: AuditEntry, open: Bucket | null): LineClass | null {
  if (entry.decision !== "allow") return "refusal";
  if (isSensitiveTarget(entry.target)) return "sensitive";
  return open === null || open.written === 0 ? "first" : null;
}

/** What enters the summary of failed authentications. Source: authorization 6.5, wire-protocol 9.4. */
function isFailedAuthorization(entry: AuditEntry): boolean {
  if (entry.decision === "flag") return true;
  if (entry.decision !== "deny") return false;
  switch (entry.reason) {
    case "not-elevated":
    case "agent-listener":
    case "policy-closed":
    case "unknown-destination":
    case "caller-gone":
      return true;
    default:
      return entry.caller === null && entry.destination !== null;
  }
}
