import type { Trial } from "./trial.ts";

/** What tells a fault from others, also when lines move. */
type FaultIdentity = Pick<
  Trial["mutant"],
  "file" | "context" | "kind" | "original" | "replacement"
>;

/** A fault that changes nothing anybody can see, and why. */
export interface Excused extends FaultIdentity {
  readonly why: string;
}

/** What a run of the mutants showed. */
export interface MutationReport {
  readonly seed: number;
  readonly faults: number;
  readonly caught: number;
  readonly byTests: number;
  readonly byTime: number;
  readonly byTypes: number;
  /** Survivors of the list of excused ones. */
  readonly excused: number;
  /** Percent of all faults but the excused ones. */
  readonly caughtPercent: number;
  readonly survivors: readonly Trial[];
  readonly trials: readonly Trial[];
}

/** Least percentage that passes. */
export const LEAST_PERCENT = 98;

export function summarise(
  seed: number,
  trials: readonly Trial[],
  excused: readonly Excused[],
): MutationReport {
  const count = (fate: Trial["fate"]) => trials.filter((trial) => trial.fate === fate).length;
  const survived = trials.filter(({ fate }) => fate === "survived");
  const survivors = survived.filter(({ mutant }) =>
    !excused.some((each) => isSameFault(each, mutant))
  );
  const [byTests, byTime, byTypes] = [count("test"), count("time"), count("types")];
  const caught = byTests + byTime + byTypes;
  const counted = trials.length - (survived.length - survivors.length);
  return {
    seed,
    faults: trials.length,
    caught,
    byTests,
    byTime,
    byTypes,
    excused: survived.length - survivors.length,
    caughtPercent: counted === 0 ? 0 : Math.floor(caught / counted * 1000) / 10,
    survivors,
    trials,
  };
}

/** Whether two faults are the same one. */
export function isSameFault(excused: FaultIdentity, mutant: FaultIdentity): boolean {
  return excused.file === mutant.file && excused.context === mutant.context &&
    excused.kind === mutant.kind &&
    excused.original === mutant.original && excused.replacement === mutant.replacement;
}

/** The report as text. */
export function reportText(report: MutationReport): string {
  const { seed, faults, caught, byTests, byTime, byTypes, excused, caughtPercent } = report;
  const lines = [
    `${faults} faults, seed ${seed}: ${caught} caught (${byTests} by tests, ${byTime} by the time ` +
    `limit, ${byTypes} by the type checker), ${excused} excused, ${report.survivors.length} survived`,
    `caught: ${caughtPercent} % of all but the excused ones`,
  ];
  for (const { mutant } of report.survivors) lines.push(`survived: ${mutantText(mutant)}`);
  return lines.join("\n");
}

/** Where a fault is and what it does, in one line. */
export function mutantText({ file, line, kind, original, replacement }: Trial["mutant"]): string {
  return `${file}:${line} ${kind}: ${oneLine(original)} -> ${oneLine(replacement)}`;
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length <= 80 ? line : `${line.slice(0, 80)}...`;
}
