import { denoEnvironment, runCommand, SetupError } from "../setup/mod.ts";

/** Lines of one source file that hold code, and how many of them ran. */
export interface FileCoverage {
  readonly file: string;
  readonly lines: number;
  readonly covered: number;
}

const REPORT_LIMIT_MS = 10 * 60_000;

/**
 * Merges the raw profiles of all suites and the processes they started into one report.
 * @param profiles Folder with the raw profiles.
 * @param lcovPath Where the merged report is written.
 * @returns One entry for each file of `src` that any process loaded.
 */
export async function measureCoverage(
  profiles: string,
  lcovPath: string,
): Promise<FileCoverage[]> {
  const src = new URL("../../src/", import.meta.url);
  const outcome = await runCommand(
    [
      Deno.execPath(),
      "coverage",
      "--lcov",
      `--include=^${escapePattern(src.href)}`,
      `--output=${lcovPath}`,
      profiles,
    ],
    { limitMs: REPORT_LIMIT_MS, env: denoEnvironment() },
  );
  if (outcome.code !== 0) {
    throw SetupError.of(
      `the coverage report could not be made: ${outcome.tail.trim()}`,
      "read what Deno says",
    );
  }
  return parseLcov(Deno.readTextFileSync(lcovPath), src.pathname);
}

/** Reads an lcov report; file names become relative to `folder`. */
export function parseLcov(lcov: string, folder: string): FileCoverage[] {
  const files: FileCoverage[] = [];
  let file = "";
  let lines = 0;
  let covered = 0;
  for (const line of lcov.split("\n")) {
    if (line.startsWith("SF:")) {
      file = line.slice(3).replace(folder, "");
      lines = covered = 0;
    } else if (line.startsWith("DA:")) {
      lines++;
      if (!line.endsWith(",0")) covered++;
    } else if (line === "end_of_record") {
      files.push({ file, lines, covered });
    }
  }
  return files;
}

/** Share of the lines that ran, in per cent; 0 when there is no line at all. */
export function percentage(files: readonly FileCoverage[]): number {
  const lines = files.reduce((sum, each) => sum + each.lines, 0);
  const covered = files.reduce((sum, each) => sum + each.covered, 0);
  return lines === 0 ? 0 : 100 * covered / lines;
}

/** The files with most lines that never ran, worst first. */
export function leastCovered(files: readonly FileCoverage[], count: number): FileCoverage[] {
  const missed = (each: FileCoverage) => each.lines - each.covered;
  return files.filter((each) => missed(each) > 0).sort((a, b) => missed(b) - missed(a)).slice(
    0,
    count,
  );
}

function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
