import type { RefusalReason } from "../../domain/policy/mod.ts";
import type { AuditDecision, AuditEntry } from "../audit/mod.ts";
import type { StageTimes } from "../proxy/mod.ts";
import { Histogram } from "./histogram.ts";

/** What a request may be labelled with. Closed lists: no label ever holds a text that a caller chose. */
const ENDPOINTS = ["none", "wireserver", "imds", "hostga"] as const;
const MODES = ["none", "disabled", "audit", "enforce"] as const;
const VERDICTS = ["allow", "flag", "deny", "error"] as const satisfies readonly AuditDecision[];
/** Every reason has its number; the compiler asks for a new one here. */
const REASONS: Readonly<Record<RefusalReason | "none", number>> = Object.freeze({
  "none": 0,
  "bad-request": 1,
  "ambiguous-target": 2,
  "method-not-allowed": 3,
  "body-too-large": 4,
  "head-too-large": 5,
  "path-traversal": 6,
  "header-not-ascii": 7,
  "direct-connection": 8,
  "unattributed": 9,
  "caller-gone": 10,
  "unknown-destination": 11,
  "not-elevated": 12,
  "rule-denied": 13,
  "default-denied": 14,
  "not-canonical": 15,
  "matchers-disagree": 16,
  "agent-listener": 17,
  "policy-closed": 18,
  "policy-unavailable": 19,
  "metadata-header-missing": 20,
  "status-needs-elevated": 21,
  "upstream-unreachable": 22,
  "upstream-failed": 23,
  "upstream-timeout": 24,
  "body-incomplete": 25,
  "body-timeout": 26,
  "signing-failed": 27,
  "audit-unavailable": 28,
  "internal-error": 29,
  "shutting-down": 30,
  "too-many-connections": 31,
});
const REASON_NAMES: readonly string[] = Object.freeze(
  Object.entries(REASONS).sort((left, right) => left[1] - right[1]).map(([name]) => name),
);
const ENDPOINT_INDEX = Object.freeze({ wireserver: 1, imds: 2, hostga: 3 });
const MODE_INDEX = Object.freeze({ disabled: 1, audit: 2, enforce: 3 });
const VERDICT_INDEX = Object.freeze({ allow: 0, flag: 1, deny: 2, error: 3 });

/** The stages of a request, in its order. */
export const STAGES = ["attribute", "decide", "sign", "host", "whole"] as const;
export type StageName = typeof STAGES[number];

/** Requests that have all labels in common. */
export interface RequestCount {
  readonly endpoint: string;
  readonly mode: string;
  readonly verdict: string;
  readonly reason: string;
  readonly count: number;
}

/**
 * Counts requests, and how long they took. Every request is counted and timed as a whole, by readings of the clock that were
 * made anyway; the stages between are timed for one request of 16.
 */
export class RequestMetrics {
  readonly #counts = new Float64Array(
    ENDPOINTS.length * MODES.length * VERDICTS.length * REASON_NAMES.length,
  );
  /** One for each of `STAGES`. */
  readonly durations: Readonly<Record<StageName, Histogram>> = Object.freeze({
    attribute: new Histogram(),
    decide: new Histogram(),
    sign: new Histogram(),
    host: new Histogram(),
    whole: new Histogram(),
  });

  /** Counts one request. `times` is `null` where its stages were not timed. */
  count(entry: AuditEntry, times: StageTimes | null): void {
    const { endpoint, mode } = entry;
    const row = (endpoint === null ? 0 : ENDPOINT_INDEX[endpoint]) * MODES.length +
      (mode === null ? 0 : MODE_INDEX[mode]);
    const column = VERDICT_INDEX[entry.decision] * REASON_NAMES.length +
      REASONS[entry.reason ?? "none"];
    this.#counts[row * VERDICTS.length * REASON_NAMES.length + column]!++;
    this.durations.whole.add(entry.elapsedMs);
    if (times !== null) this.#time(times, entry.elapsedMs);
  }

  /** What was not reached is `NaN`, and so is every difference with it: the histograms leave it out. */
  #time(times: StageTimes, elapsedMs: number): void {
    const { received, attributed, decided, complete, endorsed } = times;
    const { attribute, decide, sign, host } = this.durations;
    attribute.add(attributed - received);
    decide.add(decided - attributed);
    // Between the verdict and the signature of a request with a body its caller was waited for.
    sign.add(endorsed - (Number.isNaN(complete) ? decided : complete));
    host.add(received + elapsedMs - endorsed);
  }

  /** All counts above zero. */
  *counts(): Generator<RequestCount> {
    for (let at = 0; at < this.#counts.length; at++) {
      const count = this.#counts[at]!;
      if (count === 0) continue;
      let rest = at;
      const take = <T>(list: readonly T[]): T => {
        const taken = list[rest % list.length]!;
        rest = Math.floor(rest / list.length);
        return taken;
      };
      const [reason, verdict, mode, endpoint] = [
        take(REASON_NAMES),
        take(VERDICTS),
        take(MODES),
        take(ENDPOINTS),
      ];
      yield { endpoint, mode, verdict, reason, count };
    }
  }
}
