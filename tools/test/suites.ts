import {
  type CommandOutcome,
  denoEnvironment,
  LOCKED,
  runCommand,
  withProgress,
} from "../setup/mod.ts";
import { parseJunit, type TestCase } from "./junit.ts";

/** A folder of tests that run in one process. */
export interface Suite {
  readonly name: string;
  readonly folder: string;
  /** The process is ended after this long; what it had not reported by then counts as one failure. */
  readonly limitMs: number;
  /** True when the tests load kernel programs: they need root and everything `requirements()` asks for. */
  readonly onKernel: boolean;
}

const MINUTE_MS = 60_000;

/** In the order in which they run: the quick and the general first. */
export const SUITES: readonly Suite[] = [
  { name: "unit", folder: "tests/unit", limitMs: 5 * MINUTE_MS, onKernel: false },
  { name: "properties", folder: "tests/properties", limitMs: 4 * MINUTE_MS, onKernel: false },
  { name: "conformance", folder: "tests/conformance", limitMs: 3 * MINUTE_MS, onKernel: true },
  { name: "kernel", folder: "tests/kernel", limitMs: 10 * MINUTE_MS, onKernel: true },
  { name: "e2e", folder: "tests/e2e", limitMs: 40 * MINUTE_MS, onKernel: true },
];

export interface SuiteOptions {
  /** Where logs and reports go. */
  readonly outputFolder: string;
  /** Where raw coverage profiles of the tests and of every Deno they start go; null for none. */
  readonly coverageFolder: string | null;
  /** Only tests whose name holds this text. */
  readonly filter: string | null;
  /** Milliseconds left for the whole run. */
  readonly leftMs: number;
}

/** Runs one suite and says how it went. */
export function runSuite(suite: Suite, options: SuiteOptions): Promise<TestCase[]> {
  let newest = "";
  return withProgress(
    `tests: ${suite.name}`,
    () => runTests(suite, options, (line) => newest = line.trim() || newest),
    { detail: () => newest, verdict: counts },
  );
}

async function runTests(
  suite: Suite,
  { outputFolder, coverageFolder, filter, leftMs }: SuiteOptions,
  onLine: (line: string) => void,
): Promise<TestCase[]> {
  const reportPath = `${outputFolder}/${suite.name}.xml`;
  const limitMs = Math.min(suite.limitMs, leftMs);
  if (!hasTests(suite.folder)) return [brokenSuite(suite, `${suite.folder} holds no test`)];
  if (limitMs <= 0) return [brokenSuite(suite, "no time was left for it")];
  const outcome = await runCommand(
    [
      Deno.execPath(),
      "test",
      "--allow-all",
      "--no-check",
      ...LOCKED,
      `--junit-path=${reportPath}`,
      ...(coverageFolder === null ? [] : ["--coverage-raw-data-only"]),
      ...(filter === null ? [] : [`--filter=${filter}`]),
      suite.folder,
    ],
    {
      limitMs,
      logPath: `${outputFolder}/${suite.name}.log`,
      onLine,
      env: {
        ...denoEnvironment(),
        ...(coverageFolder !== null && { DENO_COVERAGE_DIR: coverageFolder }),
      },
    },
  );
  // Deno reports what a filter leaves out as skipped.
  const cases = readReport(reportPath).filter((each) =>
    filter === null || each.outcome !== "skipped"
  );
  return withBreakage(suite, outcome, cases);
}

/** The reported tests, and a failed one of its own for whatever kept the suite from ending properly, so that nothing passes unseen. */
export function withBreakage(
  suite: Suite,
  outcome: CommandOutcome,
  cases: readonly TestCase[],
): TestCase[] {
  const lastWords = () => `its last words:\n${lastLines(outcome.tail)}`;
  if (outcome.timedOut) {
    return [...cases, brokenSuite(suite, `it was ended at its time limit; ${lastWords()}`)];
  }
  if (outcome.code !== 0 && !cases.some((each) => each.outcome === "failed")) {
    return [
      ...cases,
      brokenSuite(suite, `it ended with exit code ${outcome.code}; ${lastWords()}`),
    ];
  }
  return cases.length === 0 ? [brokenSuite(suite, "it ran no test")] : [...cases];
}

function brokenSuite(suite: Suite, message: string): TestCase {
  return {
    name: `the suite ${suite.name} runs to its end`,
    file: suite.folder,
    outcome: "failed",
    message,
  };
}

/** `N passed, N failed, N skipped`. */
export function counts(cases: readonly TestCase[]): string {
  return (["passed", "failed", "skipped"] as const)
    .map((outcome) => `${cases.filter((each) => each.outcome === outcome).length} ${outcome}`)
    .join(", ");
}

function readReport(path: string): TestCase[] {
  try {
    return parseJunit(Deno.readTextFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function hasTests(folder: string): boolean {
  try {
    return [...Deno.readDirSync(folder)].some((entry) =>
      entry.isDirectory ? hasTests(`${folder}/${entry.name}`) : entry.name.endsWith("_test.ts")
    );
  } catch {
    return false;
  }
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-30).join("\n");
}
