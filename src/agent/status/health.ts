import type { Clock } from "../../runtime/clock.ts";
import type { HealthReporter, HealthState } from "../../runtime/part.ts";

/** What is known about one part. */
export interface PartHealth {
  readonly state: HealthState;
  /** Stable and searchable. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** When state or code last changed, wall milliseconds. */
  readonly sinceMs: number;
}

/** The health of all parts. Bounded: parts are those that the program is made of. */
export class HealthBoard {
  readonly #clock: Clock;
  readonly #parts = new Map<string, PartHealth>();
  readonly #startedMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.wallMs();
  }

  /** The end at which a part reports. */
  reporter(part: string): HealthReporter {
    return { report: (state, code, message) => this.#set(part, state, code, message) };
  }

  /** The last report of a part. Before the first: UNKNOWN, in the words of the status document. Source: agent 4.2. */
  of(part: string): PartHealth {
    return this.#parts.get(part) ??
      {
        state: "UNKNOWN",
        code: "NOT_REPORTED",
        message: "Status unknown.",
        sinceMs: this.#startedMs,
      };
  }

  /** All parts that ever reported, in the order of their first report. */
  all(): ReadonlyMap<string, PartHealth> {
    return this.#parts;
  }

  #set(part: string, state: HealthState, code: string, message: string): void {
    const before = this.#parts.get(part);
    const same = before !== undefined && before.state === state && before.code === code;
    const sinceMs = same ? before.sinceMs : this.#clock.wallMs();
    this.#parts.set(part, { state, code, message, sinceMs });
  }
}
