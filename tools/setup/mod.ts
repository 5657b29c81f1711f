/**
 * Gets a machine ready for the demo, the tests and the bench: says what is missing, installs it with the machine's
 * package manager, fetches npm packages, and runs commands with a time limit and signs of life. Only Deno's own API is
 * used here, because these files run before anything has been fetched.
 *
 * Not for the product: nothing under `src` knows of it.
 *
 * @module
 */
export { type CommandOptions, type CommandOutcome, runCommand } from "./command.ts";
export { explain, Interrupted, type Problem, runTool, SetupError } from "./failure.ts";
export { BOUNDED_HEAP, denoEnvironment, fetchModules, LOCKED } from "./modules.ts";
export { ensureTools } from "./package_manager.ts";
export {
  bpftoolPath,
  BUILD_TOOLS,
  CLIENT_TOOLS,
  nodePath,
  RUN_TOOLS,
  type Tool,
} from "./packages.ts";
export { onPath } from "./program_path.ts";
export { unpackPackage } from "./unpacked_package.ts";
export { spoken, withProgress } from "./progress.ts";
export {
  findCgroup2,
  findProblems,
  type Machine,
  observeMachine,
  requirements,
} from "./requirements.ts";
