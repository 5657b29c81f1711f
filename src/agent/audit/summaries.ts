import type { SummaryEntry } from "../../domain/wire/status_document.ts";
import { type CallerFacts, NOBODY } from "./caller_facts.ts";
import type { AuditEntry } from "./record.ts";
import { BUCKET_MS, type CallerTrack } from "./repetitions.ts";
import { responseStatus } from "./response_status.ts";

/** Counts older than this are forgotten. Source: authorization 6.4. */
const KEEP_MS = 4 * 60 * 60_000;
/** Most entries; everything beyond is counted in one more, called `other`. */
export const MOST_ENTRIES = 1000;
/** How often a full table is searched for entries that have run out. */
const PRUNE_EVERY_MS = 60_000;

/** One line of a summary while it counts. */
export interface SummarySlot {
  readonly facts: CallerFacts;
  readonly ip: string;
  readonly port: number;
  readonly status: number;
  /** Buckets of 15 minutes, oldest first. */
  readonly buckets: { readonly startMs: number; count: number }[];
  /** False once the slot left the table. */
  live: boolean;
}

/** The counts of the last four hours that the status document shows. Bounded. Source: authorization 6.5, agent 4.3. */
export class SummaryTable {
  readonly #slots = new Map<string, SummarySlot>();
  readonly #capacity: number;
  readonly #other: SummarySlot;
  #prunedMs = -Infinity;

  constructor(capacity: number = MOST_ENTRIES) {
    this.#capacity = capacity;
    const facts = { userName: "other", processCmdLine: "other", processFullPath: "other" };
    this.#other = {
      facts: { ...NOBODY, ...facts },
      ip: "None",
      port: 0,
      status: 0,
      buckets: [],
      live: true,
    };
  }

  /**
   * The slot to count in: one for each user, destination, executable, command line and status. Worth keeping while it is
   * `live`, except when `isOther` says that it is everybody's.
   */
  slot(track: CallerTrack, entry: AuditEntry, status: number, nowMs: number): SummarySlot {
    const text = `${track.keyPrefix}${status}`;
    const found = this.#slots.get(text);
    if (found !== undefined) return found;
    if (this.#slots.size >= this.#capacity && nowMs - this.#prunedMs >= PRUNE_EVERY_MS) {
      this.#prune(nowMs);
    }
    if (this.#slots.size >= this.#capacity) return this.#other;
    const slot: SummarySlot = {
      facts: track.facts,
      ip: entry.destination?.address ?? "None",
      port: entry.destination?.port ?? 0,
      status,
      buckets: [],
      live: true,
    };
    this.#slots.set(text, slot);
    return slot;
  }

  isOther(slot: SummarySlot): boolean {
    return slot === this.#other;
  }

  /** The entries that counted something within four hours; `other` last. */
  list(nowMs: number): SummaryEntry[] {
    this.#prune(nowMs);
    const entries: SummaryEntry[] = [];
    for (const slot of this.#slots.values()) entries.push(entryOf(slot));
    dropOld(this.#other, nowMs);
    if (this.#other.buckets.length > 0) {
      entries.push({ ...entryOf(this.#other), responseStatus: "other" });
    }
    return entries;
  }

  #prune(nowMs: number): void {
    this.#prunedMs = nowMs;
    for (const [text, slot] of this.#slots) {
      dropOld(slot, nowMs);
      if (slot.buckets.length > 0) continue;
      slot.live = false;
      this.#slots.delete(text);
    }
  }
}

/** Counts one request; whether it is the first of its 15 minutes. */
export function countIn(slot: SummarySlot, nowMs: number): boolean {
  const newest = slot.buckets.at(-1);
  if (newest !== undefined && nowMs - newest.startMs < BUCKET_MS) {
    newest.count++;
    return false;
  }
  dropOld(slot, nowMs);
  slot.buckets.push({ startMs: nowMs, count: 1 });
  return true;
}

function dropOld(slot: SummarySlot, nowMs: number): void {
  while (slot.buckets[0] !== undefined && nowMs - slot.buckets[0].startMs >= KEEP_MS) {
    slot.buckets.shift();
  }
}

function entryOf(slot: SummarySlot): SummaryEntry {
  return {
    userName: slot.facts.userName,
    ip: slot.ip,
    port: slot.port,
    processCmdLine: slot.facts.processCmdLine,
    responseStatus: responseStatus(slot.status),
    count: slot.buckets.reduce((sum, bucket) => sum + bucket.count, 0),
    userGroups: slot.facts.userGroups,
    processFullPath: slot.facts.processFullPath,
  };
}
