import type { EndpointName } from "../domain/wire/endpoints.ts";
import type { HeaderField } from "../domain/wire/client_request.ts";
import type { FaultKind } from "./faults.ts";
import type { HostRequest } from "./request.ts";
import { isRootClaim, type Verdict } from "./verify.ts";

/** Whether the host wants a signature on a request where the endpoint is enforced. */
export type SignatureNeed = "required" | "exempt";

/** What the host saw and did, about one request. */
export interface JournalEntry {
  /** Grows by one with each request; gaps never occur. */
  readonly seq: number;
  readonly request: HostRequest;
  readonly need: SignatureNeed;
  readonly verdict: Verdict;
  /** 0 when no answer was given. */
  readonly status: number;
  readonly fault: FaultKind | null;
}

/** A journal entry as the control interface shows it. No signature, no token, no body. */
export interface JournalLine {
  readonly seq: number;
  /** ISO 8601, UTC, by the machine's clock. */
  readonly time: string;
  readonly endpoint: EndpointName;
  readonly peer: string;
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: readonly HeaderField[];
  readonly signature: "required" | "exempt";
  readonly verdict: "signed" | "unsigned" | "bad";
  readonly reason: string | null;
  readonly keyGuid: string | null;
  readonly key: string | null;
  readonly isRoot: boolean | null;
  readonly bodyBytes: number;
  readonly status: number;
  readonly fault: string | null;
}

/** Field names whose values are secrets of somebody. */
const WITHHELD = new Set([
  "x-ms-azure-host-authorization",
  "authorization",
  "proxy-authorization",
  "cookie",
]);

/** The last requests, and how many there were. Bounded: the oldest entry gives way. */
export class Journal {
  readonly #entries: (JournalEntry | undefined)[];
  #next = 1;
  #first = 1;

  /** @param capacity entries kept */
  constructor(readonly capacity: number) {
    this.#entries = new Array<JournalEntry | undefined>(capacity);
  }

  /** Sequence number of the next entry. */
  get nextSeq(): number {
    return this.#next;
  }

  /** Entries held. */
  get length(): number {
    return this.#next - this.#first;
  }

  add(entry: Omit<JournalEntry, "seq">): void {
    this.#entries[this.#next % this.capacity] = { ...entry, seq: this.#next };
    this.#next++;
    if (this.#next - this.#first > this.capacity) this.#first = this.#next - this.capacity;
  }

  /** Entries with a sequence number above `since`, oldest first, `limit` at most. */
  read(since: number, limit: number): JournalEntry[] {
    const entries: JournalEntry[] = [];
    const from = Math.max(this.#first, Math.trunc(since) + 1);
    for (let seq = from; seq < this.#next && entries.length < limit; seq++) {
      entries.push(this.#entries[seq % this.capacity]!);
    }
    return entries;
  }

  /** Drops all entries; the numbering goes on. */
  clear(): void {
    this.#entries.fill(undefined);
    this.#first = this.#next;
  }
}

/** Puts an entry into the form that is shown. */
export function journalLine(entry: JournalEntry): JournalLine {
  const { request, verdict } = entry;
  return {
    seq: entry.seq,
    time: new Date(request.receivedAtMs).toISOString(),
    endpoint: request.endpoint,
    peer: request.peer,
    method: request.method,
    target: request.target,
    version: request.version,
    headers: request.headers.map(([name, value]) => [name, shownValue(name, value)] as const),
    signature: entry.need,
    verdict: verdict.kind,
    reason: verdict.kind === "bad" ? verdict.reason : null,
    keyGuid: verdict.kind === "unsigned" ? null : verdict.guid,
    key: verdict.kind === "signed" ? verdict.standing : null,
    isRoot: isRootClaim(request),
    bodyBytes: request.bodyBytes,
    status: entry.status,
    fault: entry.fault,
  };
}

function shownValue(name: string, value: string): string {
  return WITHHELD.has(name) ? `[withheld, ${value.length} characters]` : value;
}
