import type { SummaryEntry } from "../../domain/wire/status_document.ts";
import type { Clock } from "../../runtime/clock.ts";
import { formatHeader } from "../../runtime/log_line.ts";
import type { Logger, LogLevel } from "../../runtime/logger.ts";
import { RateLimit } from "../../runtime/rate_limit.ts";
import { type LostLines, RollingFile } from "../../runtime/rolling_file.ts";
import type { Refusal } from "../../domain/policy/refusal.ts";
import type { Scalar } from "../../runtime/errors.ts";
import { type Anchor, readAnchor, writeAnchor } from "./anchor.ts";
import { Chain } from "./chain.ts";
import { ANCHOR_FILE_NAME, AUDIT_FILE_NAME } from "./file_names.ts";
import { type Known, KnownCallers } from "./known_callers.ts";
import type { AuditEntry, AuditTrail } from "./record.ts";
import {
  connectionText,
  type NoticeName,
  noticeText,
  recordText,
  repetitionText,
} from "./record_text.ts";
import { type Bucket, Repetitions } from "./repetitions.ts";
import { isSensitiveTarget } from "./sensitive_target.ts";
import { countIn, SummaryTable } from "./summaries.ts";
import { type LineClass, WriteBudget } from "./write_budget.ts";

/** Closing summaries in one sweep: so many take about a millisecond. */
const MOST_CLOSED_PER_SWEEP = 100;
/** Lines about suppressed lines in one sweep. */
const MOST_NOTICES_PER_SWEEP = 64;
/** Closing summaries of buckets that had to make room. */
const EVICTION_LIMITS = { burst: 1000, perSecond: 50 } as const;
/** DEVIATION D-136: how often `onFirst` is called: callers choose their command lines, and so how many kinds there are. */
const FIRST_LIMITS = { burst: 100, perSecond: 1 } as const;
/** What an allowed access to a sensitive target gets in Enforce when it cannot be recorded. */
const UNRECORDED: Refusal = Object.freeze({
  status: 503,
  reason: "audit-unavailable",
  detail: "the access could not be written to the audit log",
});

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
  /** Told of the first request of its kind in 15 minutes, as JSON, a bounded number of times. Must not throw. */
  readonly onFirst?: (connection: string) => void;
}

/**
 * Writes the audit log. Each refusal, each flagged request, each error, each access to a sensitive target and the first
 * request of its kind have a record of their own (within the write budget of the user); the others are counted, and the
 * counts are written when the bucket ends.
 *
 * Each line is sealed with the one before it as it is written; `verifyLog` reads the chain.
 *
 * INVARIANT: records + counts of closing summaries + counts of overflow notices = requests, once `close` has returned.
 * INVARIANT: nothing thrown in here reaches the caller. Source: authorization 6, 7.4 (W-18 to W-21).
 */
export class FileAuditTrail implements AuditTrail {
  readonly #clock: Clock;
  readonly #redact: (text: string) => string;
  readonly #logger: Logger;
  readonly #folder: string | null;
  readonly #file: RollingFile | null;
  readonly #chain: Chain;
  readonly #budget: WriteBudget;
  readonly #repetitions: Repetitions;
  readonly #evictions = new RateLimit(EVICTION_LIMITS);
  readonly #onFirst: (connection: string) => void;
  readonly #firsts = new RateLimit(FIRST_LIMITS);
  readonly #complaints = new RateLimit({ burst: 1, perSecond: 0.1 });
  readonly #callers = new KnownCallers();
  readonly #connections = new SummaryTable();
  readonly #failed = new SummaryTable();
  #anchor: Anchor | null = null;
  #anchorTrouble: string | null = null;
  #keeping: Promise<void> | null = null;
  #requestCount = 0;
  #overflow = 0;
  #trouble: string | null = null;

  constructor(options: FileAuditTrailOptions) {
    this.#clock = options.clock;
    this.#redact = options.redact;
    this.#logger = options.logger;
    this.#onFirst = options.onFirst ?? (() => {});
    this.#budget = options.budget ?? new WriteBudget();
    this.#repetitions = new Repetitions(
      (bucket, why) => this.#bucketClosed(bucket, why),
      options.mostBuckets,
    );
    this.#folder = options.folder;
    this.#chain = new Chain({
      currentPath: `${options.folder}/${AUDIT_FILE_NAME}`,
      asidePaths: () => this.#asidePaths(),
      readAnchor: () => readAnchor(`${options.folder}/${ANCHOR_FILE_NAME}`),
      noticeLine: (members) => this.#noticeLine("warn", "chain", members),
      onDamage: (damage, expected) =>
        this.#logger.error("audit log is not as it was written", {
          damage,
          expectedSeq: expected?.seq ?? null,
        }),
    });
    this.#file = options.folder === null ? null : new RollingFile({
      seal: this.#chain,
      folder: options.folder,
      name: AUDIT_FILE_NAME,
      clock: options.clock,
      ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
      lossNotice: (lost) => this.#lossNotice(lost),
      onTrouble: (cause) => this.#troubleChanged(cause),
    });
  }

  record(entry: AuditEntry): Refusal | null {
    try {
      return this.#record(entry);
    } catch (error) {
      return this.#recordFailed(entry, error);
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

  /** Lines that wait to be written. */
  get waitingLines(): number {
    return this.#file?.waitingLines ?? 0;
  }

  /** Lines that were lost since the start. */
  get lostLines(): number {
    return this.#file?.lostLines ?? 0;
  }

  /** Why the file cannot be written; `null` while it can. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** The record that the anchor beside the log names; `null` before there is one. */
  get anchor(): Anchor | null {
    return this.#anchor;
  }

  /** Notes beside the log how far it reaches, once the disk has it. Never rejects. To be called seldom: it waits for the disk. */
  keepAnchor(): Promise<void> {
    this.#keeping ??= this.#keepAnchor().finally(() => this.#keeping = null);
    return this.#keeping;
  }

  async #keepAnchor(): Promise<void> {
    const anchor = this.#chain.anchor;
    if (this.#file === null || this.#folder === null || anchor === null) return;
    if (anchor.hash === this.#anchor?.hash || !(await this.#file.sync())) return;
    const trouble = await writeAnchor(this.#folder, anchor);
    if (trouble === null) this.#anchor = anchor;
    else if (this.#anchorTrouble === null) {
      this.#logger.warn("anchor of the audit log cannot be written", { cause: trouble });
    }
    this.#anchorTrouble = trouble;
  }

  /** All requests of the last four hours, counted by caller, destination and status. */
  connectionSummary(): SummaryEntry[] {
    return this.#connections.list(this.#clock.monotonicMs());
  }

  /** The same of requests that failed authorization, or would have in Enforce. */
  failedAuthenticationSummary(): SummaryEntry[] {
    return this.#failed.list(this.#clock.monotonicMs());
  }

  /**
   * Closes buckets whose time is over, tells what was suppressed, and tries a file that could not be written: where nobody
   * asks for anything, nothing else would. To be called every second; bounded work.
   */
  sweep(): void {
    if (this.#trouble !== null) this.open();
    this.#repetitions.sweep(this.#clock.monotonicMs(), MOST_CLOSED_PER_SWEEP);
    this.#tellSuppressed();
  }

  /** Writes all counts, notes how far the log reaches, and lets the file go. The counts are written when it returns. */
  async close(): Promise<void> {
    this.#repetitions.closeAll();
    this.#tellSuppressed();
    this.#file?.flush();
    // One that is under way may have begun before the last line.
    await this.#keeping;
    await this.keepAnchor();
    this.#file?.close();
  }

  #record(entry: AuditEntry): Refusal | null {
    this.#requestCount++;
    const nowMs = this.#clock.monotonicMs();
    const known = this.#callers.of(entry);
    const open = this.#repetitions.find(known, entry, nowMs);
    const lineClass = lineClassOf(entry, open);
    // The line is written before anything is counted: a failure in between must not hide later requests of the kind.
    const admitted = lineClass !== null && this.#budget.admit(known.facts.uid, lineClass, nowMs);
    const written = admitted && this.#writeRecord(entry, known);
    if (lineClass === "sensitive" && admitted && !written && this.#mustBeRecorded(entry)) {
      const refused = refusedFor(entry, UNRECORDED);
      this.#tally(known, refused, this.#repetitions.find(known, refused, nowMs), false, nowMs);
      return UNRECORDED;
    }
    this.#tally(known, entry, open, written, nowMs);
    return null;
  }

  /** Counts the request in its bucket and in the summaries. */
  #tally(
    known: Known,
    entry: AuditEntry,
    open: Bucket | null,
    written: boolean,
    nowMs: number,
  ): void {
    const bucket = open ?? this.#repetitions.open(known, entry, nowMs);
    bucket.lastMs = nowMs;
    bucket.count++;
    if (written) bucket.written++;
    this.#count(known, entry, nowMs);
  }

  /** Whether the answer may not go out without a record. Where no log is kept at all, somebody decided that. */
  #mustBeRecorded(entry: AuditEntry): boolean {
    return this.#file !== null && entry.decision === "allow" && entry.mode === "enforce" &&
      isSensitive(entry);
  }

  #writeRecord(entry: AuditEntry, known: Known): boolean {
    if (this.#file === null) return false;
    const wallMs = this.#clock.wallMs();
    const text = recordText(entry, known.facts, wallMs, this.#redact);
    return this.#file.writeNow(formatHeader(wallMs, "info") + text);
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
    if (countIn(slot, nowMs) && this.#firsts.admit(nowMs)) {
      this.#onFirst(connectionText(entry, known.facts, this.#redact));
    }
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
    const text = repetitionText(
      {
        ...first,
        rules: first,
        firstId: requestId,
        path: bucket.key.slice(bucket.pathAt),
        ip: bucket.ip,
        port: bucket.port,
        facts: bucket.facts,
        count,
        fromMs: wallMs - (nowMs - bucket.startMs),
        toMs: wallMs - (nowMs - bucket.lastMs),
      },
      wallMs,
      this.#redact,
    );
    this.#file.writeSoon(formatHeader(wallMs, "info") + text);
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

  #writeNotice(notice: "suppressed" | "overflow", members: Readonly<Record<string, Scalar>>): void {
    this.#file?.writeSoon(this.#noticeLine("warn", notice, members));
  }

  #noticeLine(
    level: LogLevel,
    notice: NoticeName,
    members: Readonly<Record<string, Scalar>>,
  ): string {
    const wallMs = this.#clock.wallMs();
    return formatHeader(wallMs, level) + noticeText(notice, members, wallMs);
  }

  #lossNotice(lost: LostLines): string {
    const since = new Date(lost.sinceWallMs).toISOString();
    return this.#noticeLine("warn", "lost", { count: lost.count, since, cause: lost.cause });
  }

  #asidePaths(): string[] {
    return this.#file?.asideNames().map((name) => `${this.#folder}/${name}`) ?? [];
  }

  #troubleChanged(cause: string | null): void {
    this.#trouble = cause;
    if (cause === null) this.#logger.warn("audit log can be written again");
    else this.#logger.error("audit log cannot be written", { cause });
  }

  /** A record that could not be made still leaves a line with what cannot fail. */
  #recordFailed(entry: AuditEntry, error: unknown): Refusal | null {
    try {
      const members = { id: entry.requestId, status: entry.status, decision: entry.decision };
      if (this.#budget.admit(null, "refusal", this.#clock.monotonicMs())) {
        this.#file?.writeNow(this.#noticeLine("error", "record-failed", members));
      }
      if (this.#complaints.admit(this.#clock.monotonicMs())) {
        const cause = error instanceof Error ? error.message : String(error);
        this.#logger.error("audit record could not be made", { id: entry.requestId, cause });
      }
      return this.#mustBeRecorded(entry) ? UNRECORDED : null;
    } catch {
      // INVARIANT of this class; there is nowhere left to tell it, and nothing to answer with confidence.
      return UNRECORDED;
    }
  }
}

/** The entry of a request that is refused after all. */
function refusedFor(entry: AuditEntry, refusal: Refusal): AuditEntry {
  const { status, reason, detail } = refusal;
  return { ...entry, decision: "error", status, reason, detail };
}

function isSensitive(entry: AuditEntry): boolean {
  return isSensitiveTarget(entry.target, entry.canonicalTarget ?? null);
}

/** Why the request deserves a record of its own; `null` when it is one more of a kind that has one. */
function lineClassOf(entry: AuditEntry, open: Bucket | null): LineClass | null {
  if (entry.decision !== "allow") return "refusal";
  if (isSensitive(entry)) return "sensitive";
  return open === null || open.written === 0 ? "first" : null;
}

/** What enters the summary of failed authentications. Source: authorization 6.5, wire-protocol 9.4. */
function isFailedAuthorization(entry: AuditEntry): boolean {
  if (entry.decision === "flag") return true;
  if (entry.decision !== "deny") return false;
  switch (entry.reason) {
    case "not-elevated":
    case "rule-denied":
    case "default-denied":
    case "not-canonical":
    case "matchers-disagree":
    case "agent-listener":
    case "policy-closed":
    case "unknown-destination":
    case "caller-gone":
      return true;
    default:
      return entry.caller === null && entry.destination !== null;
  }
}
