import {
  BOUNDED_HEAP,
  denoEnvironment,
  LOCKED,
  runCommand,
  SetupError,
  withProgress,
} from "../setup/mod.ts";
import { sourceProgram } from "../sandbox/world.ts";
import type { BenchOptions } from "./options.ts";

const BUNDLE = "build/bench/code";
const BUNDLE_LIMIT_MS = 5 * 60_000;

/**
 * The command that starts what is to be measured. A bundle is what the executable holds, without the base that the
 * executable stands on and that has to be fetched. @throws SetupError when it cannot be made
 */
export async function programOf(program: BenchOptions["program"]): Promise<readonly string[]> {
  if (program === "source") return sourceProgram();
  if (program !== "bundle") return [program.path];
  // The names of the pieces change with their content: those of before would stay.
  await Deno.remove(BUNDLE, { recursive: true }).catch(() => {});
  await withProgress("bundling the agent", async () => {
    const { code, tail } = await runCommand(
      [
        Deno.execPath(),
        ...["bundle", "--quiet", ...LOCKED, "--code-splitting", "--outdir", BUNDLE, "main.ts"],
      ],
      { limitMs: BUNDLE_LIMIT_MS, env: denoEnvironment() },
    );
    if (code !== 0) {
      throw SetupError.of(`the agent could not be bundled: ${tail}`, "measure with --source");
    }
  });
  return [
    ...[Deno.execPath(), "run", "-A", BOUNDED_HEAP, "--no-config", "--no-lock"],
    `${Deno.cwd()}/${BUNDLE}/main.js`,
  ];
}
