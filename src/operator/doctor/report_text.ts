import type { Outcome } from "./check.ts";
import type { DoctorReport } from "./run.ts";

/** The report for people: one line for each check, its remedy below it. */
export function reportText({ results, durationMs }: DoctorReport): string {
  const lines = results.flatMap(({ outcome, title, name, found, remedy }) => [
    `${outcome.padEnd(4)}  ${title} (${name}): ${onOneLine(found)}`,
    ...(remedy === null ? [] : [`      remedy: ${onOneLine(remedy)}`]),
  ]);
  const counts = (["FAIL", "WARN", "OK"] as const).map((outcome) =>
    `${results.filter((each) => each.outcome === outcome).length} ${outcome}`
  );
  return `${lines.join("\n")}\n\n${counts.join(", ")} in ${durationMs} ms\n`;
}

/** The report for programs, one JSON object. The names of the checks and the outcomes are stable, the sentences are not. */
export function reportJson(report: DoctorReport): string {
  const { outcome, version, wallMs, durationMs, results } = report;
  const checks = results.map((each) => ({
    check: each.name,
    title: each.title,
    outcome: each.outcome,
    found: each.found,
    remedy: each.remedy,
    durationMs: each.durationMs,
  }));
  const document = { outcome, version, time: new Date(wallMs).toISOString(), durationMs, checks };
  return `${JSON.stringify(document)}\n`;
}

/** 0 all OK, 1 warnings, 2 failures. */
export function exitCodeOf(outcome: Outcome): 0 | 1 | 2 {
  return outcome === "OK" ? 0 : outcome === "WARN" ? 1 : 2;
}

// What a stranger named, such as a process, must not forge a line.
function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
}
