import { type Budget, BUDGETS, type Verdict, verdictOf } from "./budgets.ts";
import type { BenchOptions } from "./options.ts";
import type { Measurement } from "./measurement.ts";

/** A row of the result. */
export interface Row {
  readonly budget: Budget;
  readonly measurement: Measurement;
  readonly verdict: Verdict;
}

/** Puts budgets beside what was measured, in their order. */
export function rowsOf(measurements: readonly Measurement[]): Row[] {
  return BUDGETS.flatMap((budget) => {
    const measurement = measurements.find(({ id }) => id === budget.id);
    if (measurement === undefined) return [];
    return [{ budget, measurement, verdict: verdictOf(budget, measurement.value) }];
  });
}

/** What the machine is, for whoever reads the figures elsewhere. */
export function machineFacts(): Record<string, string | number> {
  const model = /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1];
  return {
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    kernel: Deno.osRelease(),
    arch: Deno.build.arch,
    processor: model ?? "unknown",
    processors: navigator.hardwareConcurrency,
    memoryMb: Math.round(Deno.systemMemoryInfo().total / 1e6),
  };
}

/** Share of the processors that others use while this program waits a second, 0 to 1. */
export async function othersShare(): Promise<number> {
  const read = () => {
    const [line = ""] = Deno.readTextFileSync("/proc/stat").split("\n");
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, ...rest] = line.split(/ +/).slice(1)
      .map(Number);
    const quiet = idle + wait;
    return { quiet, all: quiet + user + nice + system + rest.reduce((sum, n) => sum + n, 0) };
  };
  const before = read();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const after = read();
  return 1 - (after.quiet - before.quiet) / (after.all - before.all);
}

const VERDICTS: Readonly<Record<Verdict, string>> = {
  stretch: "✓✓ stretch",
  must: "✓ must",
  missed: "✗ missed",
  failed: "✗ failed",
};

/** The table for people. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ budget, measurement, verdict }) => [
    budget.label,
    measurement.value === null ? "-" : shown(measurement.value, budget.unit),
    shown(budget.must, budget.unit),
    shown(budget.stretch, budget.unit),
    VERDICTS[verdict],
    measurement.note,
  ]);
  const all = [["", "measured", "must", "stretch", "", ""], ...cells];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...all.map((line) => (line[column] ?? "").length))
  );
  return all.map((line) =>
    line.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column >= 1 && column <= 3 ? cell.padStart(width) : cell.padEnd(width);
    }).join("  ").trimEnd()
  ).join("\n");
}

function shown(value: number, unit: Budget["unit"]): string {
  const digits = unit === "x" || unit === "%" ? 2 : value < 20 && !Number.isInteger(value) ? 1 : 0;
  return `${value.toFixed(digits)} ${unit}`;
}

/** Everything, for programs. */
export function resultJson(
  rows: readonly Row[],
  options: BenchOptions,
  machine: Readonly<Record<string, string | number>>,
): string {
  const { rounds, seconds, idleSeconds, program } = options;
  const result = {
    machine,
    options: { rounds, seconds, idleSeconds, program },
    rows: rows.map(({ budget, measurement, verdict }) => ({
      ...budget,
      value: measurement.value,
      verdict,
      note: measurement.note,
      details: measurement.details,
    })),
  };
  return JSON.stringify(result, null, 2) + "\n";
}
