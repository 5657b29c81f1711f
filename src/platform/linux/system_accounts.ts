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
/** How long a request waits for the directory. */
const LOOKUP_LIMIT_MS = 1_000;
/** Group names looked up for one user. */
const MAX_GROUPS = 256;

interface Known {
  readonly account: Account | null;
  readonly untilMs: number;
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
    return this.#withLimit(uid, this.#running.get(uid) ?? this.#start(uid));
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
    let account: Account | null = null;
    try {
      account = await this.#read(uid);
    } catch (error) {
      this.#log.warn("user look-up failed", { uid, error: String(error) });
    }
    const ttlMs = account === null ? UNKNOWN_TTL_MS : KNOWN_TTL_MS;
    this.#known.set(uid, { account, untilMs: this.#clock.monotonicMs() + ttlMs });
    return account;
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

  /** A directory that hangs must not hang the request: the caller then has no account, which matches no rule. */
  async #withLimit(uid: number, answer: Promise<Account | null>): Promise<Account | null> {
    const limit = new AbortController();
    const late = this.#clock.sleep(LOOKUP_LIMIT_MS, limit.signal).then(() => null);
    const winner = await Promise.race([answer, late]);
    const timedOut = !limit.signal.aborted && winner === null && this.#running.has(uid);
    limit.abort();
    if (timedOut && !this.#late.has(uid)) {
      this.#late.add(uid);
      this.#log.warn("user look-up took too long", { uid, limitMs: LOOKUP_LIMIT_MS });
    }
    return winner;
  }
}
