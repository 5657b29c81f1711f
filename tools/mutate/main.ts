/**
 * Plants faults in the engine, one at a time, and sees whether the tests notice. Writes `build/mutation.json`, prints a
 * report, and fails when less than 98 % are caught.
 *
 *     deno task mutate [--count=N] [--seed=N] [--file=TEXT] [--all] [--again=REPORT]
 *
 * @module
 */
import { runTool, SetupError, withProgress } from "../setup/mod.ts";
import { findMutants, type Mutant, sample, SUBJECTS, wellFormed } from "./mutants.ts";
import {
  type Excused,
  isSameFault,
  LEAST_PERCENT,
  mutantText,
  type MutationReport,
  reportText,
  summarise,
} from "./report.ts";
import { Bench, copyTree, type Trial } from "./trial.ts";

const DEFAULT_COUNT = 400;
const DEFAULT_SEED = 4;
const BENCHES = 2;
const USAGE =
  "usage: deno task mutate [--count=N] [--seed=N] [--file=TEXT] [--all] [--again=REPORT]";

interface Options {
  readonly count: number;
  readonly seed: number;
  /** Only files whose path holds this text. */
  readonly file: string;
  /** An earlier report: only what survived there. */
  readonly again: string | null;
}

function parseOptions(args: readonly string[]): Options {
  let [count, seed, file] = [DEFAULT_COUNT, DEFAULT_SEED, ""];
  let again: string | null = null;
  for (const arg of args) {
    const [name, value] = arg.split("=", 2);
    if (name === "--all") count = Infinity;
    else if (name === "--count" && isCount(value)) count = Number(value);
    else if (name === "--seed" && isCount(value)) seed = Number(value);
    else if (name === "--file" && value) file = value;
    else if (name === "--again" && value) again = value;
    else if (name !== "--") throw SetupError.of(`there is no option \`${arg}\``, USAGE);
  }
  return { count, seed, file, again };
}

function isCount(value: string | undefined): boolean {
  return value !== undefined && /^[0-9]+$/.test(value);
}

/** Tries all mutants, each bench one after another. */
async function tryAll(root: string, mutants: readonly Mutant[], scratch: string): Promise<Trial[]> {
  const trials: Trial[] = [];
  const waiting = [...mutants].reverse();
  const work = async (bench: Bench) => {
    await bench.open(root);
    for (let mutant = waiting.pop(); mutant !== undefined; mutant = waiting.pop()) {
      const trial = await bench.try(mutant);
      trials.push(trial);
      if (trial.fate === "survived") console.log(`\nsurvived: ${mutantText(mutant)}`);
    }
  };
  await withProgress(
    `${mutants.length} faults`,
    () =>
      Promise.all(Array.from({ length: BENCHES }, (_, at) => work(new Bench(`${scratch}/${at}`)))),
    { detail: () => `${trials.length} tried, ${survivors(trials)} survived` },
  );
  return trials;
}

function survivors(trials: readonly Trial[]): number {
  return trials.filter(({ fate }) => fate === "survived").length;
}

/** Those of `found` that survived in an earlier run. */
function survivedIn(path: string, found: readonly Mutant[]): Mutant[] {
  const report: MutationReport = JSON.parse(Deno.readTextFileSync(path));
  const before = report.trials.filter(({ fate }) => fate === "survived");
  return found.filter((mutant) => before.some((trial) => isSameFault(trial.mutant, mutant)));
}

async function main(): Promise<number> {
  const { count, seed, file, again } = parseOptions(Deno.args);
  const root = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
  const excused: Excused[] = JSON.parse(
    Deno.readTextFileSync(new URL("excused.json", import.meta.url)),
  );
  const scratch = Deno.makeTempDirSync({ prefix: "mutate-" });
  try {
    const tree = `${scratch}/tree`;
    await copyTree(root, tree);
    const files = SUBJECTS.filter((subject) => subject.includes(file));
    const found = await wellFormed(tree, await findMutants(tree, files), scratch);
    const chosen = again === null ? sample(found, count, seed) : survivedIn(again, found);
    console.log(`${found.length} faults can be planted, ${chosen.length} are`);
    const report = summarise(seed, await tryAll(tree, chosen, scratch), excused);
    Deno.mkdirSync(`${root}/build`, { recursive: true });
    Deno.writeTextFileSync(`${root}/build/mutation.json`, JSON.stringify(report, null, 2) + "\n");
    console.log(reportText(report));
    return report.caughtPercent >= LEAST_PERCENT ? 0 : 1;
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
}

if (import.meta.main) await runTool(main);
