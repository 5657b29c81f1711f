import type { DoctorSettings } from "./machine.ts";
import type { Situation } from "./situation.ts";

/** How a check ended. `WARN`: the agent does its job, and somebody should look. `FAIL`: it does not, or will not for long. */
export type Outcome = "OK" | "WARN" | "FAIL";

/** What a check saw, in a sentence, and what to do about it. */
export interface Finding {
  readonly outcome: Outcome;
  readonly found: string;
  /** What to do, with the exact command where there is one; `null` when nothing is to be done. */
  readonly remedy: string | null;
}

/** Something that a check objects to. */
export interface Problem {
  readonly outcome: "WARN" | "FAIL";
  readonly found: string;
  readonly remedy: string;
}

/** One look at one subject. It changes nothing. */
export interface Check {
  /** Stable, for programs. */
  readonly name: string;
  /** What is looked at, for people. */
  readonly title: string;
  /** How long it may take, milliseconds; 500 unless told otherwise. */
  readonly limitMs?: number;
  run(situation: Situation): Promise<Finding> | Finding;
}

/** Nothing to object to. */
export function fine(found: string): Finding {
  return { outcome: "OK", found, remedy: null };
}

/** Somebody should look. */
export function warn(found: string, remedy: string): Problem {
  return { outcome: "WARN", found, remedy };
}

/** The agent does not do its job, or will not for long. */
export function fail(found: string, remedy: string): Problem {
  return { outcome: "FAIL", found, remedy };
}

/** Remedies of many. */
export const START = "start the agent: systemctl start azure-proxy-agent";
export const RESTART = "restart the agent: systemctl restart azure-proxy-agent";

/** A path or name as one word of a shell's command line, so that a remedy can be pasted. */
export function shellWord(text: string): string {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The command line of one of our own commands, for the configuration that is looked at. */
export function ownCommand(
  words: string,
  { configFile }: Pick<DoctorSettings, "configFile">,
): string {
  const config = configFile === null ? "" : ` --config ${shellWord(configFile)}`;
  return `azure-proxy-agent ${words}${config}`;
}

/** Problems that are told one by one; more are counted. */
const MOST_TOLD = 6;

/** The problems as one finding, the worst first, each remedy once; `otherwise` when there is none. */
export function judge(problems: readonly Problem[], otherwise: string): Finding {
  if (problems.length === 0) return fine(otherwise);
  const ordered = (["FAIL", "WARN"] as const).flatMap((outcome) =>
    problems.filter((each) => each.outcome === outcome)
  );
  const told = ordered.slice(0, MOST_TOLD);
  const more = ordered.length - told.length;
  return {
    outcome: ordered[0]?.outcome ?? "WARN",
    found: told.map(({ found }) => found).join("; ") + (more > 0 ? `; and ${more} more` : ""),
    remedy: [...new Set(told.map(({ remedy }) => remedy))].join("; "),
  };
}
