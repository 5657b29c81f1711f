import { BoundedMap } from "../../runtime/bounded_map.ts";
import { RateLimit, type RateLimits } from "../../runtime/rate_limit.ts";

/** Why a record is worth a line of its own. */
export type LineClass = "refusal" | "sensitive" | "first";

const LINE_CLASSES: readonly LineClass[] = ["refusal", "sensitive", "first"];

/**
 * How many lines one user may cause. A record takes up to about 1 KiB, the files hold 50 MiB: a burst of refusals fills at
 * most two of the five files, and after it one user needs eight minutes to push out what others left.
 */
export const LINE_LIMITS: Readonly<Record<LineClass, RateLimits>> = Object.freeze({
  refusal: { burst: 20_000, perSecond: 100 },
  sensitive: { burst: 5_000, perSecond: 50 },
  first: { burst: 5_000, perSecond: 50 },
});

/** Most users that have limits of their own at a time. */
const MOST_USERS = 1024;

/** Lines that were not written, to be told in one line. */
export interface Suppressed {
  /** `null`: requests without a caller. */
  readonly uid: number | null;
  readonly class: LineClass;
  readonly count: number;
}

/** Limits the lines of each user and counts what it turns away. Bounded. Source: authorization 7.4, W-21. */
export class WriteBudget {
  readonly #limits: Readonly<Record<LineClass, RateLimits>>;
  readonly #users: BoundedMap<number | null, Record<LineClass, RateLimit>>;
  /** Counts of users that made room for others before their counts were told. */
  readonly #left: Suppressed[] = [];
  #pending = false;

  constructor(
    limits: Readonly<Record<LineClass, RateLimits>> = LINE_LIMITS,
    mostUsers: number = MOST_USERS,
  ) {
    this.#limits = limits;
    this.#users = new BoundedMap(mostUsers, (uid, user) => this.#collect(uid, user, this.#left));
  }

  /** Whether the user may cause one more line of this class. */
  admit(uid: number | null, lineClass: LineClass, nowMs: number): boolean {
    let user = this.#users.get(uid);
    if (user === undefined) {
      user = {
        refusal: new RateLimit(this.#limits.refusal),
        sensitive: new RateLimit(this.#limits.sensitive),
        first: new RateLimit(this.#limits.first),
      };
      this.#users.set(uid, user);
    }
    const admitted = user[lineClass].admit(nowMs);
    if (!admitted) this.#pending = true;
    return admitted;
  }

  /** What was turned away since the last call. */
  takeSuppressed(): readonly Suppressed[] {
    if (!this.#pending) return [];
    this.#pending = false;
    const taken = this.#left.splice(0);
    for (const [uid, user] of this.#users.entries()) this.#collect(uid, user, taken);
    return taken;
  }

  #collect(uid: number | null, user: Record<LineClass, RateLimit>, into: Suppressed[]): void {
    for (const lineClass of LINE_CLASSES) {
      const count = user[lineClass].takeTurnedAway();
      if (count > 0) into.push({ uid, class: lineClass, count });
    }
  }
}
