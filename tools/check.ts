/**
 * The checks that need no running program: formatting, lint (the layer rules included), types (the misuse that must not
 * compile included), rooms that import each other in a circle, links in the documents.
 *
 * @module
 */
import { brokenLinks } from "./docs/links.ts";
import { findCycles } from "./lint/cycles.ts";
import { denoEnvironment, LOCKED, runCommand, runTool, withProgress } from "./setup/mod.ts";

/** One check. `run` returns null when all is well, and else what there is to mend. */
export interface Check {
  readonly name: string;
  run(): Promise<string | null>;
}

const LIMIT_MS = 5 * 60_000;

/** In the order in which they run: the quickest to mend first. */
export const CHECKS: readonly Check[] = [
  { name: "formatting", run: () => deno("fmt", "--check") },
  { name: "lint", run: () => deno("lint") },
  { name: "types", run: () => deno("check", ...LOCKED, ".") },
  { name: "no rooms in a circle", run: () => listed(findCycles("src")) },
  { name: "links in documents", run: () => listed(brokenLinks(".")) },
];

async function deno(...args: string[]): Promise<string | null> {
  const outcome = await runCommand([Deno.execPath(), ...args], {
    limitMs: LIMIT_MS,
    env: denoEnvironment(),
  });
  if (outcome.code === 0) return null;
  if (outcome.timedOut) return `no end after ${LIMIT_MS / 1000} s`;
  // One line for each file that was looked at says nothing about the one that is wrong.
  return outcome.tail.replaceAll(/^Check \S+\n/gm, "").trim();
}

function listed(complaints: readonly string[]): Promise<string | null> {
  return Promise.resolve(complaints.length === 0 ? null : complaints.join("\n"));
}

/** Runs one check and says how it went. Returns null when all is well, and else what there is to mend. */
export function runCheck(check: Check): Promise<string | null> {
  return withProgress(`check: ${check.name}`, () => check.run(), {
    verdict: (complaint) => complaint === null ? "passed" : "failed",
  });
}

async function main(): Promise<number> {
  Deno.chdir(new URL("..", import.meta.url));
  let failed = 0;
  for (const check of CHECKS) {
    const complaint = await runCheck(check);
    if (complaint === null) continue;
    failed++;
    console.log(complaint);
  }
  console.log(`${CHECKS.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) await runTool(main);
