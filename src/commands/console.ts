import type { CommandOutput } from "./output.ts";
import { type AgentRun, PROCESS, type ProcessControl, runUntilStopped } from "./run_agent.ts";

/** The standard input, as far as this command needs it. */
export interface LineSource {
  isTerminal(): boolean;
  read(buffer: Uint8Array): Promise<number | null>;
}

const LINE_FEED = 0x0a;

/**
 * Runs the agent in the foreground until a line arrives on `input` or a signal ends it. The end of the input ends nothing: it
 * may be closed or empty from the start. Returns the exit code. Source: agent 1.2, 1.6.
 */
export async function consoleCommand(
  configFile: string | null,
  run: AgentRun,
  output: CommandOutput,
  input: LineSource = Deno.stdin,
  control: ProcessControl = PROCESS,
): Promise<number> {
  output.out("Press Enter to end it.\n");
  const entered = new AbortController();
  if (!input.isTerminal() || ownsTerminal()) void waitForLine(input, () => entered.abort());
  return await runUntilStopped(
    run,
    { foreground: true, configFile },
    output,
    entered.signal,
    control,
  );
}

async function waitForLine(input: LineSource, onLine: () => void): Promise<void> {
  const buffer = new Uint8Array(256);
  try {
    for (let read = await input.read(buffer); read !== null; read = await input.read(buffer)) {
      if (buffer.subarray(0, read).includes(LINE_FEED)) return onLine();
    }
  } catch {
    // An input that cannot be read ends nothing either; signals do.
  }
}

/**
 * Whether this process is in the foreground of its terminal. A background process that reads from its terminal is stopped by
 * the kernel, and with it everything it guards. Fields 5 and 8 of proc_pid_stat(5). Unknown counts as foreground.
 */
export function ownsTerminal(statPath = "/proc/self/stat"): boolean {
  let stat: string;
  try {
    stat = Deno.readTextFileSync(statPath);
  } catch {
    return true;
  }
  // The name in parentheses may hold blanks and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [, , processGroup, , , foregroundGroup] = fields;
  return processGroup === foregroundGroup;
}
