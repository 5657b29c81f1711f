import { createHash } from "node:crypto";
import { BoundedMap } from "../../runtime/bounded_map.ts";
import type { CallerFacts } from "./caller_facts.ts";
import type { AuditEntry, RuleFacts } from "./record.ts";

/** A bucket is closed this long after its first request. Source: authorization 6.4. */
export const BUCKET_MS = 15 * 60_000;
/**
 * A bucket of a policy that was replaced is closed when it rested this long: nothing more comes into it, and where policies
 * change all the time, memory would be full of such buckets.
 */
export const OUTDATED_REST_MS = 60_000;
/** Most buckets at a time. Source: authorization 7.4, W-21. */
export const MOST_BUCKETS = 4096;
/** Most paths that the index of callers alike remembers. */
const MOST_INDEXED = 32;
/** Methods that nobody checked are cut. */
const LONGEST_METHOD = 32;
/** Longer paths stand in the key as their beginning and a digest. */
const LONGEST_KEY_PATH = 512;
/** A bucket in use is moved to the young end of the table at most this often: moving costs more than counting. */
const TOUCH_EVERY_MS = 1000;

/**
 * Requests alike within 15 minutes: same caller, destination, method, canonical path, status, verdict and reason, decided by
 * the same rule of the same policy.
 */
export interface Bucket {
  readonly key: string;
  /** Where the path begins in the key. */
  readonly pathAt: number;
  readonly facts: CallerFacts;
  /** The first request, which stands for all where they are compared. */
  readonly first:
    & RuleFacts
    & Pick<
      AuditEntry,
      | "requestId"
      | "method"
      | "status"
      | "decision"
      | "reason"
      | "mode"
      | "endpoint"
      | "policyEpoch"
    >;
  readonly ip: string;
  readonly port: number;
  /** Monotonic milliseconds. */
  readonly startMs: number;
  lastMs: number;
  touchedMs: number;
  /** All requests, and those of them that have a record of their own. */
  count: number;
  written: number;
  /** False once the bucket left the table. */
  live: boolean;
}

/** Callers alike (or none) as the table knows them: the constant part of their keys, and a short way to their buckets. */
export interface CallerTrack {
  readonly keyPrefix: string;
  readonly facts: CallerFacts;
  readonly byPath: Map<string, Bucket[]>;
}

/** The constant part of a caller's keys. A zero byte cannot occur in the parts that a caller chooses. */
export function makeTrack(entry: AuditEntry, facts: CallerFacts): CallerTrack {
  const { destination } = entry;
  const keyPrefix = `${facts.uid}\0${facts.userName}\0${clientNetwork(entry.client.address)}\0${
    destination?.address ?? "None"
  }\0${
    destination?.port ?? 0
  }\0${facts.exeVerified}\0${facts.processFullPath}\0${facts.processCmdLine}\0`;
  return { keyPrefix, facts, byPath: new Map() };
}

/**
 * The client's address as far as it tells callers apart. The redirector gives each connection a loopback address of its own;
 * in a key, that would make each connection a kind of its own.
 */
function clientNetwork(address: string): string {
  return address.startsWith("127.") ? "127.0.0.1" : address;
}

/** What stands for the path of a request in its key: the canonical one where there is one. */
function keyPathOf(entry: AuditEntry): string {
  return pathOf(entry.canonicalTarget ?? entry.target);
}

/** The path of a target: everything before the first `?`. */
export function pathOf(target: string): string {
  const queryAt = target.indexOf("?");
  return queryAt < 0 ? target : target.slice(0, queryAt);
}

/**
 * The table of buckets. Bounded: the least recently used bucket makes room. Every bucket leaves through `closed`, once.
 * Source: authorization 6.4 with method and path in the key (7.4, W-18).
 */
export class Repetitions {
  readonly #table: BoundedMap<string, Bucket>;
  readonly #closed: (bucket: Bucket, why: "ended" | "evicted") => void;
  #newestEpoch = 0;

  constructor(
    closed: (bucket: Bucket, why: "ended" | "evicted") => void,
    capacity: number = MOST_BUCKETS,
  ) {
    this.#closed = closed;
    this.#table = new BoundedMap(capacity, (_, bucket) => this.#leave(bucket, "evicted"));
  }

  get size(): number {
    return this.#table.size;
  }

  /** The open bucket of the request, or `null` when it is the first of its kind. */
  find(track: CallerTrack, entry: AuditEntry, nowMs: number): Bucket | null {
    const path = keyPathOf(entry);
    const near = track.byPath.get(path)?.find((bucket) => isOf(bucket, entry));
    if (near !== undefined && near.live && nowMs - near.startMs < BUCKET_MS) {
      if (nowMs - near.touchedMs >= TOUCH_EVERY_MS) {
        near.touchedMs = nowMs;
        this.#table.get(near.key);
      }
      return near;
    }
    const key = keyOf(track, entry, path);
    const bucket = this.#table.get(key);
    if (bucket === undefined) return null;
    if (nowMs - bucket.startMs >= BUCKET_MS) {
      this.#end(bucket);
      return null;
    }
    this.#index(track, entry, path, bucket);
    return bucket;
  }

  /** Opens a bucket with nothing in it. */
  open(track: CallerTrack, entry: AuditEntry, nowMs: number): Bucket {
    const path = keyPathOf(entry);
    const key = keyOf(track, entry, path);
    const bucket: Bucket = {
      key,
      pathAt: key.lastIndexOf("\0") + 1,
      facts: track.facts,
      first: firstOf(entry),
      ip: entry.destination?.address ?? "None",
      port: entry.destination?.port ?? 0,
      startMs: nowMs,
      lastMs: nowMs,
      touchedMs: nowMs,
      count: 0,
      written: 0,
      live: true,
    };
    this.#newestEpoch = Math.max(this.#newestEpoch, entry.policyEpoch);
    this.#table.set(key, bucket);
    this.#index(track, entry, path, bucket);
    return bucket;
  }

  /** Closes up to `most` buckets whose time, or whose policy's, is over. */
  sweep(nowMs: number, most: number): void {
    let left = most;
    for (const [, bucket] of this.#table.entries()) {
      if (left <= 0) return;
      if (nowMs - bucket.startMs < BUCKET_MS && !this.#isOutdated(bucket, nowMs)) continue;
      this.#end(bucket);
      left--;
    }
  }

  /** Closes all buckets. */
  closeAll(): void {
    for (const [, bucket] of this.#table.entries()) this.#end(bucket);
  }

  #isOutdated(bucket: Bucket, nowMs: number): boolean {
    return bucket.first.policyEpoch < this.#newestEpoch &&
      nowMs - bucket.lastMs >= OUTDATED_REST_MS;
  }

  #end(bucket: Bucket): void {
    this.#table.delete(bucket.key);
    this.#leave(bucket, "ended");
  }

  #leave(bucket: Bucket, why: "ended" | "evicted"): void {
    bucket.live = false;
    this.#closed(bucket, why);
  }

  #index(track: CallerTrack, entry: AuditEntry, path: string, bucket: Bucket): void {
    // Only short targets: a part of a text keeps the whole text in memory, here as long as the caller is remembered.
    if ((entry.canonicalTarget ?? entry.target).length > LONGEST_KEY_PATH) return;
    if (track.byPath.size >= MOST_INDEXED) track.byPath.clear();
    const others = track.byPath.get(path)?.filter((other) => other.live && other !== bucket) ?? [];
    track.byPath.set(path, [...others.slice(-7), bucket]);
  }
}

function isOf(bucket: Bucket, entry: AuditEntry): boolean {
  const { first } = bucket;
  return first.status === entry.status && first.method === entry.method &&
    first.decision === entry.decision && first.reason === entry.reason &&
    first.policyEpoch === entry.policyEpoch && first.privilege === entry.privilege &&
    first.identity === entry.identity && first.canonCode === entry.canonCode &&
    first.compat === entry.compat && first.canonical === entry.canonical;
}

function firstOf(entry: AuditEntry): Bucket["first"] {
  const { requestId, status, decision, reason, mode, endpoint, policyEpoch } = entry;
  const { ruleSetId, privilege, identity, canonCode, compat, canonical } = entry;
  const method = entry.method.slice(0, LONGEST_METHOD);
  const first = { requestId, method, status, decision, reason, mode, endpoint, policyEpoch };
  return { ...first, ruleSetId, privilege, identity, canonCode, compat, canonical };
}

function keyOf(track: CallerTrack, entry: AuditEntry, path: string): string {
  const shownPath = path.length <= LONGEST_KEY_PATH
    ? path
    : `${path.slice(0, LONGEST_KEY_PATH)}#${createHash("sha256").update(path).digest("hex")}`;
  const method = entry.method.slice(0, LONGEST_METHOD);
  return `${track.keyPrefix}${method}\0${entry.status}\0${entry.decision}\0${entry.reason}\0${entry.policyEpoch}\0${
    ruleKeyOf(entry)
  }\0${shownPath.replaceAll("\0", "%00")}`;
}

/** What the rules said, as a part of a key: most requests have met no rule at all. */
function ruleKeyOf(entry: AuditEntry): string {
  const { privilege, identity, canonCode, compat, canonical } = entry;
  const said = [privilege, identity, canonCode, compat, canonical];
  return said.every((one) => one === undefined || one === null) ? "" : JSON.stringify(said);
}
