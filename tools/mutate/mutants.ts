import { runCommand, SetupError } from "../setup/mod.ts";
import type { Fault } from "./faults.ts";

/** A fault in a file. */
export interface Mutant extends Fault {
  readonly file: string;
  readonly line: number;
  /** The line as it stands there, without its indentation: finds the place again when lines move. */
  readonly context: string;
}

/** What the seeded faults are planted in: everything that decides whether a request matches. */
export const SUBJECTS: readonly string[] = [
  ...[
    "canonicalize",
    "destination",
    "embedded_query_client",
    "host_address",
    "letter_case",
    "path",
    "percent",
    "query",
    "raw_target",
    "render",
    "signature_exempt",
    "strict_target",
    "target_syntax",
    "traversal_guard",
  ].map((name) => `src/domain/canonical/${name}.ts`),
  ...[
    "canonical_matcher",
    "compile",
    "decide",
    "evaluate",
    "grant_tree",
    "identity_index",
    "identity_matcher",
    "legacy_matcher",
    "members",
    "path_index",
    "question",
  ].map((name) => `src/domain/policy/${name}.ts`),
];

const PLUGIN = new URL("faults.ts", import.meta.url).pathname;
const LINT_LIMIT_MS = 120_000;
/** A crash of the linter is no verdict; it is asked again. */
const ATTEMPTS = 3;

/** All faults that can be planted in `files`, which are paths below `root`. */
export async function findMutants(root: string, files: readonly string[]): Promise<Mutant[]> {
  const report = await lint(["faults/plant"], files, root);
  return report.diagnostics.map(({ filename, message, range }) => {
    const fault: Fault = JSON.parse(message);
    const file = decodeURIComponent(new URL(filename).pathname).slice(root.length + 1);
    const { start, end, original } = fault;
    const text = Deno.readTextFileSync(`${root}/${file}`);
    if (text.slice(start, end) !== original) {
      throw new Error(
        `the offsets of ${file}, line ${range.start.line}, are not those of its text`,
      );
    }
    const context = text.slice(0, start).split("\n").at(-1)! + text.slice(start).split("\n", 1)[0]!;
    return { file, line: range.start.line, context: context.trim(), ...fault };
  });
}

/** The text of the file with its fault. */
export function planted(text: string, { start, end, replacement }: Fault): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** The mutants that are still programs; others say nothing about the tests. */
export async function wellFormed(
  root: string,
  mutants: readonly Mutant[],
  scratch: string,
): Promise<Mutant[]> {
  const folder = `${scratch}/syntax`;
  Deno.mkdirSync(folder);
  for (const [index, mutant] of mutants.entries()) {
    const text = planted(Deno.readTextFileSync(`${root}/${mutant.file}`), mutant);
    Deno.writeTextFileSync(`${folder}/${index}.ts`, text);
  }
  const report = await lint(["no-debugger"], [folder], root);
  const broken = new Set(report.errors.map(({ file_path: path }) => /(\d+)\.ts$/.exec(path)?.[1]));
  return mutants.filter((_, index) => !broken.has(String(index)));
}

interface LintReport {
  readonly diagnostics: readonly {
    readonly filename: string;
    readonly message: string;
    readonly range: { readonly start: { readonly line: number } };
  }[];
  readonly errors: readonly { readonly file_path: string }[];
}

async function lint(
  rules: readonly string[],
  paths: readonly string[],
  cwd: string,
): Promise<LintReport> {
  const folder = Deno.makeTempDirSync();
  try {
    const config = `${folder}/deno.json`;
    const rulesOnly = { tags: [], include: rules };
    Deno.writeTextFileSync(
      config,
      JSON.stringify({ lint: { plugins: [PLUGIN], rules: rulesOnly } }),
    );
    for (let attempt = 1;; attempt++) {
      const report = await lintOnce(config, paths, cwd);
      if (report !== null) return report;
      if (attempt === ATTEMPTS) throw SetupError.of("the linter does not answer", "run it again");
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function lintOnce(
  config: string,
  paths: readonly string[],
  cwd: string,
): Promise<LintReport | null> {
  const output = `${config}.out`;
  const quoted = [Deno.execPath(), "lint", "--json", `--config=${config}`, ...paths]
    .map((word) => `'${word}'`).join(" ");
  await runCommand(["sh", "-c", `${quoted} > '${output}' 2> /dev/null`], {
    limitMs: LINT_LIMIT_MS,
    cwd,
  });
  try {
    return JSON.parse(Deno.readTextFileSync(output));
  } catch {
    return null;
  }
}

/** `count` of the mutants, drawn by `seed`, in the order of the files; all of them when there are fewer. */
export function sample(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  let state = seed >>> 0;
  const drawn = mutants.map((mutant, index) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return { mutant, index, lot: state };
  });
  drawn.sort((left, right) => left.lot - right.lot || left.index - right.index);
  return drawn.slice(0, count).sort((left, right) => left.index - right.index)
    .map(({ mutant }) => mutant);
}
