import type { Clock } from "../../runtime/clock.ts";
import { redact } from "../../domain/identity/mod.ts";
import { type Check, type Finding, type Outcome, ownCommand, warn } from "./check.ts";
import type { Situation } from "./situation.ts";

const DEFAULT_LIMIT_MS = 500;
/** An agent tells within a second of a change what has come up. */
const LOOKS_AT_START = 6;
const BETWEEN_LOOKS_MS = 500;
/** A finding is a sentence or two; what a broken file says of itself may be longer. */
const LONGEST_TEXT = 2000;

/** What one check said. */
export interface CheckResult extends Finding {
  readonly name: string;
  readonly title: string;
  readonly durationMs: number;
}

/** What all of them said. */
export interface DoctorReport {
  /** The worst of all. */
  readonly outcome: Outcome;
  readonly version: string;
  readonly wallMs: number;
  readonly durationMs: number;
  readonly results: readonly CheckResult[];
}

/**
 * Runs the checks one after the other. One that takes longer than it may, or that cannot look, is a `WARN` which says so: the
 * others go on. Secrets in what they say are replaced.
 */
export async function runChecks(
  checks: readonly Check[],
  situation: Situation,
  clock: Clock,
): Promise<DoctorReport> {
  const begunMs = clock.monotonicMs();
  await untilStarted(situation, clock);
  const results: CheckResult[] = [];
  for (const check of checks) {
    const startedMs = clock.monotonicMs();
    const { outcome, found, remedy } = await runOne(check, situation, clock);
    results.push({
      name: check.name,
      title: check.title,
      outcome,
      found: shown(found),
      remedy: remedy === null ? null : shown(remedy),
      durationMs: Math.round(clock.monotonicMs() - startedMs),
    });
  }
  return {
    outcome: worst(results),
    version: situation.settings.version,
    wallMs: clock.wallMs(),
    durationMs: Math.round(clock.monotonicMs() - begunMs),
    results,
  };
}

/** Gives an agent that is just starting a moment, so that nobody hears of modules which are only about to come up. */
async function untilStarted(situation: Situation, clock: Clock): Promise<void> {
  for (let look = 0; look < LOOKS_AT_START; look++) {
    const ended = new AbortController();
    const tooLong = clock.sleep(DEFAULT_LIMIT_MS, ended.signal).then(() => false);
    const isStarting = await Promise.race([situation.isStarting(), tooLong]);
    ended.abort();
    if (!isStarting) return;
    await clock.sleep(BETWEEN_LOOKS_MS);
  }
}

async function runOne(check: Check, situation: Situation, clock: Clock): Promise<Finding> {
  const limitMs = check.limitMs ?? DEFAULT_LIMIT_MS;
  const ended = new AbortController();
  const late = clock.sleep(limitMs, ended.signal).then(() =>
    warn(`this could not be looked at within ${limitMs} ms`, "run doctor again on a calmer machine")
  );
  try {
    return await Promise.race([check.run(situation), late]);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return warn(`this could not be looked at: ${cause}`, remedyOf(situation));
  } finally {
    ended.abort();
  }
}

function remedyOf({ machine, settings }: Situation): string {
  return machine.uid === 0
    ? "mend what the message names, then run doctor again"
    : `run doctor as root: sudo ${ownCommand("doctor", settings)}`;
}

function worst(results: readonly Finding[]): Outcome {
  const found = new Set(results.map(({ outcome }) => outcome));
  return found.has("FAIL") ? "FAIL" : found.has("WARN") ? "WARN" : "OK";
}

function shown(text: string): string {
  const short = text.length > LONGEST_TEXT
    ? `${text.slice(0, LONGEST_TEXT).toWellFormed()}...`
    : text;
  return redact(short);
}
