import { formatHostDate, type HostDate, parseHostDate } from "../../domain/endorsement/mod.ts";
import { type HeaderField, headerValue, HOST_DATE_HEADER } from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";

/** The host's time is asked for again when what we know of it is this old, milliseconds. Source: wire-protocol 1.3. */
const RESYNC_AFTER_MS = 900_000;
/** More than this between suspended and running time since the sync means that the machine slept, milliseconds. */
const SLEPT_MS = 2_000;

/** The moment at which the host told its time. */
interface Sync {
  readonly hostMs: number;
  readonly monotonicMs: number;
  readonly bootMs: number;
}

/** How an attempt to learn the host's time ended. */
export type SyncOutcome = "synced" | "not-due" | "no-date" | "bad-date";

/**
 * The host's time: the last one it told plus the time that passed since, by a clock that nobody can set. Before the first
 * sync it is the VM's own wall clock. Every date sent to the host comes from here. Source: wire-protocol 2.1.
 */
export class HostClock {
  readonly #clock: Clock;
  #sync: Sync | null = null;
  #shown: HostDate;
  #shownSecond: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#shownSecond = Math.floor(clock.wallMs() / 1000);
    this.#shown = formatHostDate(this.#shownSecond * 1000);
  }

  /** Milliseconds since the epoch by the host's clock. */
  nowMs(): number {
    const sync = this.#sync;
    if (sync === null) return this.#clock.wallMs();
    return sync.hostMs + (this.#clock.monotonicMs() - sync.monotonicMs);
  }

  /** The host's time in the form it is sent. Formatted once a second, because it goes into every request. */
  now(): HostDate {
    const second = Math.floor(this.nowMs() / 1000);
    if (second !== this.#shownSecond) {
      this.#shown = formatHostDate(second * 1000);
      this.#shownSecond = second;
    }
    return this.#shown;
  }

  /** How far the host's clock is ahead of the VM's, milliseconds; `null` before the first sync. */
  skewMs(): number | null {
    return this.#sync === null ? null : Math.round(this.nowMs() - this.#clock.wallMs());
  }

  /** Takes `dateText` for the host's time of this moment. Returns whether it was a date in the exact format. */
  sync(dateText: string): boolean {
    const parsed = parseHostDate(dateText);
    if (!parsed.ok) return false;
    this.#sync = {
      hostMs: parsed.value,
      monotonicMs: this.#clock.monotonicMs(),
      bootMs: this.#bootMs(),
    };
    return true;
  }

  /**
   * Learns the host's time from the head of an answer, when that is due. The host's own date field counts; the standard
   * one only where that is absent or not readable as text, never where it is present and wrong.
   */
  syncFrom(headers: readonly HeaderField[]): SyncOutcome {
    if (!this.#isDue()) return "not-due";
    const own = headerValue(headers, HOST_DATE_HEADER);
    const date = own !== null && /^[\x20-\x7e\t]*$/.test(own) ? own : headerValue(headers, "date");
    if (date === null) return "no-date";
    return this.sync(date) ? "synced" : "bad-date";
  }

  /** DEVIATION D-60: after a sleep of the machine the monotonic time has stood still, so the old sync is worth nothing. */
  #isDue(): boolean {
    const sync = this.#sync;
    if (sync === null) return true;
    const runningMs = this.#clock.monotonicMs() - sync.monotonicMs;
    const passedMs = this.#bootMs() - sync.bootMs;
    return runningMs > RESYNC_AFTER_MS || passedMs - runningMs > SLEPT_MS;
  }

  #bootMs(): number {
    return Number(this.#clock.bootNs() / 1_000_000n);
  }
}
