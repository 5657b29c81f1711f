import { denoEnvironment, LOCKED, runCommand, SetupError } from "../setup/mod.ts";
import { type Mutant, planted } from "./mutants.ts";

/** What became of a mutant. `types`: no test failed, and the type checker refuses it. */
export type Fate = "test" | "time" | "types" | "survived";

export interface Trial {
  readonly mutant: Mutant;
  readonly fate: Fate;
  /** The first test that failed, where one did. */
  readonly caughtBy: string | null;
}

const COPIED = ["src", "tests", "tools", "deno.json", "import_map.json", "deno.lock"];
const GOLDEN = [
  "canonical",
  "local",
  "matching",
  "rules",
].map((name) => `tests/conformance/authorization_${name}_test.ts`);
const REST = [
  "tests/unit/domain/canonical",
  "tests/unit/domain/policy",
  "tests/properties/canonical_test.ts",
  "tests/properties/decision_equality_test.ts",
];
/** Short runs of the laws; a mutant that only the ten-thousandth case finds counts as survived. */
const ENVIRONMENT = {
  JUDGE_TRIPLES: "20000",
  JUDGE_SEED: "20261124",
  FAST_CHECK_RUNS: "400",
  FAST_CHECK_SEED: "20261124",
  NO_COLOR: "1",
};
const BASELINE_LIMIT_MS = 120_000;
const LEAST_LIMIT_MS = 10_000;

/** A copy of the tree in which one mutant at a time is tried. */
export class Bench {
  readonly #folder: string;
  #limitMs = BASELINE_LIMIT_MS;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Copies the tree, and makes sure that the tests pass without a fault.
   * @throws SetupError when they do not.
   */
  async open(root: string): Promise<void> {
    await copyTree(root, this.#folder);
    const startedMs = performance.now();
    const failed = await this.#tests([...GOLDEN, ...REST]);
    if (failed !== null) throw SetupError.of(`without a fault, ${failed}`, "mend the tests first");
    this.#limitMs = Math.max(LEAST_LIMIT_MS, 3 * (performance.now() - startedMs));
  }

  /** Plants one fault, runs the tests that are nearest to it first, and takes it out again. */
  async try(mutant: Mutant): Promise<Trial> {
    const path = `${this.#folder}/${mutant.file}`;
    const text = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, planted(text, mutant));
    try {
      const own = mutant.file.replace("src/", "tests/unit/").replace(".ts", "_test.ts");
      const steps = [exists(`${this.#folder}/${own}`) ? [own] : [], GOLDEN, REST];
      for (const files of steps) {
        const caughtBy = files.length === 0 ? null : await this.#tests(files);
        if (caughtBy === TIMED_OUT) return { mutant, fate: "time", caughtBy: null };
        if (caughtBy !== null) return { mutant, fate: "test", caughtBy };
      }
      const fate = await this.#typesAreFine(mutant.file) ? "survived" : "types";
      return { mutant, fate, caughtBy: null };
    } finally {
      Deno.writeTextFileSync(path, text);
    }
  }

  /** The first test that failed, or why the run ended; `null` when all passed. */
  async #tests(files: readonly string[]): Promise<string | null> {
    let failed: string | null = null;
    const outcome = await runCommand(
      [Deno.execPath(), "test", "-A", "--no-check", "--fail-fast", ...LOCKED, ...files],
      {
        limitMs: this.#limitMs,
        cwd: this.#folder,
        env: { ...denoEnvironment(), ...ENVIRONMENT },
        onLine: (line) => failed ??= /^(.*) \.\.\. FAILED/.exec(line)?.[1] ?? null,
      },
    );
    if (outcome.timedOut) return TIMED_OUT;
    return outcome.code === 0 ? null : failed ?? outcome.tail.trim().split("\n").at(-1) ?? "error";
  }

  async #typesAreFine(file: string): Promise<boolean> {
    const { code } = await runCommand([Deno.execPath(), "check", ...LOCKED, file], {
      limitMs: BASELINE_LIMIT_MS,
      cwd: this.#folder,
      env: denoEnvironment(),
    });
    return code === 0;
  }
}

/** Copies what the tests need, so that nobody changes it while faults are planted. */
export async function copyTree(root: string, folder: string): Promise<void> {
  Deno.mkdirSync(folder);
  const sources = COPIED.map((name) => `${root}/${name}`);
  const { code, tail } = await runCommand(["cp", "-r", ...sources, folder], {
    limitMs: BASELINE_LIMIT_MS,
  });
  if (code !== 0) throw SetupError.of("the tree cannot be copied", tail);
}

const TIMED_OUT = "the time limit";

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
