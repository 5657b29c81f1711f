import { denoEnvironment, LOCKED, runCommand, withProgress } from "../setup/mod.ts";
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
  { name: "e2e", folder: "tests/e2e", limitMs: 20 * MINUTE_MS, onKernel: true },
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

/** Runs one suite. Whatever keeps it from ending properly is a failed test of its own, so that nothing passes unseen. */
export async function runSuite(suite: Suite, options: SuiteOptions): Promise<TestCase[]> {
  const logPath = `${options.outputFolder}/${suite.name}.log`;
  const reportPath = `${options.outputFolder}/${suite.name}.xml`;
  const limitMs = Math.min(suite.limitMs, options.leftMs);
  const broken = (message: string): TestCase => ({
    name: `the suite ${suite.name} runs to its end`,
    file: suite.folder,
    outcome: "failed",
    message,
  });
  if (!hasTests(suite.folder)) return [broken(`${suite.folder} holds no test`)];
  if (limitMs <= 0) return [broken("no time was left for it")];
  let newest = "";
  const outcome = await withProgress(`tests: ${suite.name}`, () =>
    runCommand(
      [
        Deno.execPath(),
        "test",
        "--allow-all",
        "--no-check",
        ...LOCKED,
        `--junit-path=${reportPath}`,
        ...(options.coverageFolder === null ? [] : ["--coverage-raw-data-only"]),
        ...(options.filter === null ? [] : [`--filter=${options.filter}`]),
        suite.folder,
      ],
      {
        limitMs,
        logPath,
        onLine: (line) => newest = line.trim() || newest,
        env: {
          ...denoEnvironment(),
          ...(options.coverageFolder !== null && { DENO_COVERAGE_DIR: options.coverageFolder }),
        },
      },
    ), () => newest);

  const cases = readReport(reportPath);
  const failures = cases.filter((each) => each.outcome === "failed").length;
  if (outcome.timedOut) {
    cases.push(
      broken(`ended after ${limitMs / 1000} s; its last words:\n${lastLines(outcome.tail)}`),
    );
  } else if (outcome.code !== 0 && failures === 0) {
    cases.push(
      broken(`ended with exit code ${outcome.code}; its last words:\n${lastLines(outcome.tail)}`),
    );
  } else if (cases.length === 0) {
    cases.push(broken(options.filter === null ? "it ran no test" : "no test has such a name"));
  }
  return cases;
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
