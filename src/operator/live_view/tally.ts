import type { DecisionLine } from "../../agent/control/mod.ts";

/** Rows that are kept; whatever else comes is counted in one row without a name. */
const MOST_ROWS = 1_000;

/** Requests that have caller, endpoint and verdict in common. */
export interface TallyRow {
  readonly uid: number | null;
  readonly user: string | null;
  readonly exe: string | null;
  readonly exeVerified: boolean | null;
  readonly endpoint: string | null;
  readonly verdict: string;
  readonly reason: string | null;
  /** Since the view was opened. */
  readonly total: number;
  /** Since the rows were last taken. */
  readonly recent: number;
  /** Of the recent ones, microseconds. */
  readonly meanUs: number;
  readonly maxUs: number;
  readonly lastStatus: number;
  readonly lastTarget: string;
}

type Counted = { -readonly [Key in keyof TallyRow]: TallyRow[Key] } & { sumUs: number };

/** Counts decisions by who asked, for what, and with what verdict. Bounded. */
export class Tally {
  readonly #rows = new Map<string, Counted>();
  #other: Counted | null = null;

  add(line: DecisionLine): void {
    const row = this.#rowOf(line);
    row.total++;
    row.recent++;
    row.sumUs += line.elapsedUs;
    row.maxUs = Math.max(row.maxUs, line.elapsedUs);
    row.lastStatus = line.status;
    row.lastTarget = `${line.method} ${line.target}`;
  }

  /** The rows, those with most recent requests first; then the count of recent ones begins anew. */
  take(): TallyRow[] {
    const counted = [...this.#rows.values(), ...(this.#other === null ? [] : [this.#other])];
    const rows = counted.map(({ sumUs, ...row }): TallyRow => ({
      ...row,
      meanUs: row.recent === 0 ? 0 : Math.round(sumUs / row.recent),
    }));
    for (const row of counted) {
      row.recent = 0;
      row.sumUs = 0;
      row.maxUs = 0;
    }
    return rows.sort((left, right) => right.recent - left.recent || right.total - left.total);
  }

  #rowOf(line: DecisionLine): Counted {
    const { uid, user, exe, exeVerified, endpoint, verdict, reason } = line;
    const key = JSON.stringify([uid, exe, exeVerified, endpoint, verdict, reason]);
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    if (this.#rows.size >= MOST_ROWS) return this.#other ??= newRow(OTHERS);
    const row = newRow({ uid, user, exe, exeVerified, endpoint, verdict, reason });
    this.#rows.set(key, row);
    return row;
  }
}

type RowName = Pick<
  TallyRow,
  "uid" | "user" | "exe" | "exeVerified" | "endpoint" | "verdict" | "reason"
>;

const OTHERS: RowName = Object.freeze({
  uid: null,
  user: "others",
  exe: null,
  exeVerified: null,
  endpoint: null,
  verdict: "any",
  reason: null,
});

function newRow(name: RowName): Counted {
  return {
    ...name,
    total: 0,
    recent: 0,
    meanUs: 0,
    maxUs: 0,
    sumUs: 0,
    lastStatus: 0,
    lastTarget: "",
  };
}
