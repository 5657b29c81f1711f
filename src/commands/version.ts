import { VERSION } from "../version.ts";
import type { CommandOutput } from "./output.ts";

/** Prints the version. Returns the exit code. Source: agent 5.1. */
export function versionCommand(output: CommandOutput): number {
  output.out(`${VERSION}\n`);
  return 0;
}
