import type { CommandOutput } from "./output.ts";
import { type AgentRun, PROCESS, type ProcessControl, runUntilStopped } from "./run_agent.ts";

/** Runs the agent as a service until a signal ends it. Returns the exit code. Source: agent 1.2, 1.3. */
export async function serviceCommand(
  run: AgentRun,
  output: CommandOutput,
  control: ProcessControl = PROCESS,
): Promise<number> {
  const never = new AbortController().signal;
  return await runUntilStopped(
    run,
    { foreground: false, configFile: null },
    output,
    never,
    control,
  );
}
