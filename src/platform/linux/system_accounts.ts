import type { Libc } from "../../../ffi/libc.ts";
import type { Accounts } from "../../agent/caller/inspector.ts";
import type { Account } from "../../domain/identity/caller.ts";
import { BoundedMap } from "../../runtime/bounded_map.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";

/** Users remembered at once. */
const MAX_USERS = 4096;
/** How long a known user and an unknown one are believed. Source: authorization 7.1, W-11. */
const KNOWN_TTL_MS = 60_000;
const UNKNOWN_TTL_MS = 5_000;
/** How long a known user is believed while the directory does not answer, or only with errors. */
const OUTAGE_MS = 5 * 60_000;
/** How long a request waits for the directory: so often, so long. A program that stood still has lost one part, not all. */
const LOOKUP_WAITS = 10;
const LOOKUP_WAIT_MS = 100;
/** Group names looked up for one user. */
const MAX_GROUPS = 256;

interface Known {
  readonly account: Account | null;
  readonly untilMs: number;
  /** When the directory said so. */
  readonly saidMs: number;
}

/** User names and groups by the system's own directories (files, LDAP, SSSD: whatever NSS is set up for), off the main thread. */
export class SystemAccounts implements Accounts {
  readonly #libc: Pick<Libc, "userById" | "groupIds" | "groupById">;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #known = new BoundedMap<number, Known>(MAX_USERS);
  readonly #running = new Map<number, Promise<Account | null>>();
  /** Users whose running look-up was said to take too long. */
  readonly #late = new Set<number>();

  constructor(
    libc: Pick<Libc, "userById" | "groupIds" | "groupById">,
    clock: Clock,
    log: Logger,
  ) {
    this.#libc = libc;
    this.#clock = clock;
    this.#log = log;
  }

  lookUp(uid: number): Account | null | Promise<Account | null> {
    const known = this.#known.get(uid);
    if (known !== undefined && known.untilMs > this.#clock.monotonicMs()) return known.account;
    const running = this.#running.get(uid) ?? this.#start(uid);
    const last = this.#late.has(uid) ? this.#lastSaid(uid) : null;
    return last ?? this.#withLimit(uid, running);
  }

  #start(uid: number): Promise<Account | null> {
    const running = this.#ask(uid).finally(() => {
      this.#running.delete(uid);
      this.#late.delete(uid);
    });
    this.#running.set(uid, running);
    return running;
  }

  async #ask(uid: number): Promise<Account | null> {
    try {
      const account = await this.#read(uid);
      const saidMs = this.#clock.monotonicMs();
      const ttlMs = account === null ? UNKNOWN_TTL_MS : KNOWN_TTL_MS;
      this.#known.set(uid, { account, untilMs: saidMs + ttlMs, saidMs });
      return account;
    } catch (error) {
      this.#log.warn("user look-up failed", { uid, error: String(error) });
      const untilMs = this.#clock.monotonicMs() + UNKNOWN_TTL_MS;
      const saidMs = this.#known.peek(uid)?.saidMs ?? -Infinity;
      const account = this.#lastSaid(uid);
      this.#known.set(uid, { account, untilMs, saidMs });
      return account;
    }
  }

  /** What the directory said before it fell silent, if that is not long ago. */
  #lastSaid(uid: number): Account | null {
    const known = this.#known.peek(uid);
    if (known === undefined || this.#clock.monotonicMs() - known.saidMs >= OUTAGE_MS) return null;
    return known.account;
  }

  async #read(uid: number): Promise<Account | null> {
    const user = await this.#libc.userById(uid);
    if (user === null) return null;
    const gids = await this.#libc.groupIds(user.name, user.gid);
    const groups: string[] = [];
    for (const gid of gids.slice(0, MAX_GROUPS)) {
      const name = await this.#libc.groupById(gid);
      if (name !== null) groups.push(name);
    }
    return Object.freeze({ userName: user.name, groups: Object.freeze(groups) });
  }

  /**
   * A directory that hangs must not hang the request: the caller is then who it was, and after a while nobody, which
   * matches no rule.
   */
  async #withLimit(uid: number, answer: Promise<Account | null>): Promise<Account | null> {
    const limit = new AbortController();
    const late = this.#waitLong(limit.signal).then(() => "late" as const);
    const winner = await Promise.race([answer, late]);
    limit.abort();
    if (winner !== "late") return winner;
    if (this.#running.has(uid) && !this.#late.has(uid)) {
      this.#late.add(uid);
      const limitMs = LOOKUP_WAITS * LOOKUP_WAIT_MS;
      this.#log.warn("user look-up took too long", { uid, limitMs });
    }
    return this.#lastSaid(uid);
  }

  async #waitLong(signal: AbortSignal): Promise<void> {
    for (let wait = 0; wait < LOOKUP_WAITS && !signal.aborted; wait++) {
      await this.#clock.sleep(LOOKUP_WAIT_MS, signal);
    }
  }
}
