/**
 * The gate: gets the machine ready, builds the kernel programs, runs every suite, measures how much of `src` ran, and
 * ends with one plain line, `N passed, N failed, N skipped`. In a full run a skipped test fails the gate, because a
 * machine that passes the prerequisites can run them all.
 *
 * @module
 */
import { buildBpf } from "../build_bpf.ts";
import { CHECKS, runCheck } from "../check.ts";
import {
  BUILD_TOOLS,
  CLIENT_TOOLS,
  ensureTools,
  fetchModules,
  requirements,
  RUN_TOOLS,
  runTool,
  spoken,
  type Tool,
  withProgress,
} from "../setup/mod.ts";
import { leastCovered, measureCoverage, percentage } from "./coverage.ts";
import type { TestCase } from "./junit.ts";
import { CHECK_SUITE, parseOptions, type TestOptions, USAGE } from "./options.ts";
import { counts, runSuite, SUITES } from "./suites.ts";

const OUTPUT = "build/test";
const TOOLS: readonly Tool[] = [...BUILD_TOOLS, ...RUN_TOOLS, ...CLIENT_TOOLS, "bpftool"];
/** The whole run ends by then, whatever hangs. */
const TOTAL_LIMIT_MS = 50 * 60_000;
/** Least share of the lines of `src` that the tests run, in per cent. */
const LEAST_COVERAGE = 90;
const LEAST_COVERED_SHOWN = 10;
const MESSAGE_LINES = 40;

async function main(): Promise<number> {
  const options = parseOptions(Deno.args);
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  const startedMs = performance.now();
  Deno.chdir(new URL("../..", import.meta.url));
  const chosen = (name: string) => options.only?.has(name) ?? true;
  const suites = SUITES.filter((suite) => chosen(suite.name));
  console.log(`Deno ${Deno.version.deno}, kernel ${Deno.osRelease()}, ${Deno.build.arch}`);

  if (suites.some((suite) => suite.onKernel)) {
    requirements();
    await ensureTools(TOOLS);
    await buildBpf();
  }
  await fetchModules(["main.ts", ...testFiles("tests")]);
  emptyFolder(OUTPUT);
  const coverageFolder = options.coverage ? `${Deno.cwd()}/${OUTPUT}/coverage` : null;

  const results: TestCase[] = [];
  if (chosen(CHECK_SUITE)) results.push(...await runChecks());
  for (const suite of suites) {
    const leftMs = TOTAL_LIMIT_MS - (performance.now() - startedMs);
    const cases = await runSuite(suite, {
      outputFolder: OUTPUT,
      coverageFolder,
      filter: options.filter,
      leftMs,
    });
    tellFailures(cases, `${OUTPUT}/${suite.name}.log`);
    results.push(...cases);
  }
  if (coverageFolder !== null && suites.length > 0) {
    results.push(...await judgeCoverage(coverageFolder, isGate(options)));
  }
  console.log(`took ${spoken(performance.now() - startedMs)}; logs are in ${OUTPUT}`);
  return closingLine(results, isGate(options));
}

/** A run that leaves nothing out. */
function isGate(options: TestOptions): boolean {
  return options.only === null && options.filter === null && options.coverage;
}

async function runChecks(): Promise<TestCase[]> {
  const results: TestCase[] = [];
  for (const check of CHECKS) {
    const complaint = await runCheck(check);
    results.push({
      name: `check: ${check.name}`,
      file: "tools/check.ts",
      outcome: complaint === null ? "passed" : "failed",
      message: complaint ?? "",
    });
  }
  tellFailures(results, "the lines above");
  return results;
}

/** The whole of `src` counts: a file that no test loads is loaded by the unit test that imports every module. */
async function judgeCoverage(folder: string, gate: boolean): Promise<TestCase[]> {
  const files = await withProgress(
    "merging coverage",
    () => measureCoverage(folder, `${OUTPUT}/lcov.info`),
  );
  const percent = percentage(files);
  console.log("files with most lines that no test ran:");
  for (const { file, lines, covered } of leastCovered(files, LEAST_COVERED_SHOWN)) {
    console.log(`  ${String(lines - covered).padStart(5)} of ${lines}  src/${file}`);
  }
  console.log(`coverage of src: ${percent.toFixed(1)} % of lines`);
  if (!gate) return [];
  const low = percent < LEAST_COVERAGE;
  if (low) console.log(`that is less than ${LEAST_COVERAGE} %`);
  return [{
    name: `at least ${LEAST_COVERAGE} % of the lines of src run`,
    file: "src",
    outcome: low ? "failed" : "passed",
    message: "",
  }];
}

function tellFailures(cases: readonly TestCase[], log: string): void {
  for (const { name, file, outcome, message } of cases) {
    if (outcome !== "failed") continue;
    console.log(`FAILED ${file}: ${name}`);
    const lines = message.split("\n");
    for (const line of lines.slice(0, MESSAGE_LINES)) console.log(`    ${line}`);
    if (lines.length > MESSAGE_LINES) console.log(`    … more in ${log}`);
  }
}

/** Names what was skipped, prints the closing line, and returns the exit code. */
function closingLine(results: readonly TestCase[], gate: boolean): number {
  const count = (outcome: TestCase["outcome"]) =>
    results.filter((each) => each.outcome === outcome).length;
  for (const { name, file, outcome } of results) {
    if (outcome === "skipped") console.log(`SKIPPED ${file}: ${name}`);
  }
  if (gate && count("skipped") > 0) console.log("a skipped test fails the full run");
  console.log(counts(results));
  return count("failed") > 0 || (gate && count("skipped") > 0) || results.length === 0 ? 1 : 0;
}

function testFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) return testFiles(path);
    return entry.name.endsWith("_test.ts") ? [path] : [];
  });
}

function emptyFolder(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  Deno.mkdirSync(path, { recursive: true });
}

if (import.meta.main) await runTool(main);
