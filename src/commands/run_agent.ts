import type { Config } from "../config.ts";
import { configCandidates, loadConfig, refusalText } from "../config_file.ts";
import type { ConfigSource } from "../config_reload.ts";
import type { CommandOutput } from "./output.ts";
import { SURROUNDINGS, type Surroundings } from "./surroundings.ts";
import { AGENT_STOP_SIGNALS, ONE_WISH_MS, RELOAD_SIGNAL } from "./signals.ts";

/** Nobody but the owner may use what is created without a mode of its own. */
const UMASK = 0o077;
/** The orderly stop has a deadline for each step; this one is for all of them, should one step hang. */
const STOP_WITHIN_MS = 30_000;

/** What `runAgent` is told besides its settings. */
export interface RunOptions {
  readonly foreground: boolean;
  /** What the administrator should hear about the configuration. */
  readonly warnings: readonly string[];
  /** Where the configuration is read again when somebody asks for it. */
  readonly configSource: ConfigSource;
}

/** The agent itself: runs until `signal` fires, stops in order, returns the exit code. */
export type AgentRun = (
  config: Config,
  options: RunOptions,
  signal: AbortSignal,
) => Promise<number>;

/** What the operating system does for a run; the real one is `PROCESS`. */
export interface ProcessControl extends Surroundings {
  umask(mask: number): void;
  onSignal(signal: Deno.Signal, handler: () => void): void;
  offSignal(signal: Deno.Signal, handler: () => void): void;
  /** Milliseconds from an arbitrary start. */
  nowMs(): number;
  /** Ends the process at once. */
  exit(code: number): void;
  /** Whether the standard input is a terminal that still exists. */
  hasTerminal(): boolean;
}

/** The process that runs this code. */
export const PROCESS: ProcessControl = Object.freeze({
  ...SURROUNDINGS,
  umask: (mask: number) => void Deno.umask(mask),
  onSignal: (signal: Deno.Signal, handler: () => void) => Deno.addSignalListener(signal, handler),
  offSignal: (signal: Deno.Signal, handler: () => void) =>
    Deno.removeSignalListener(signal, handler),
  nowMs: () => performance.now(),
  exit: (code: number) => Deno.exit(code),
  hasTerminal: () => Deno.stdin.isTerminal(),
});

/**
 * Loads the configuration and runs the agent until a signal or `stop` ends it: the first signal begins the orderly stop, a
 * second one, later than `ONE_WISH_MS`, ends the process at once. Returns the exit code; 2 when the configuration cannot be used.
 */
export async function runUntilStopped(
  run: AgentRun,
  options: { readonly foreground: boolean; readonly configFile: string | null },
  output: CommandOutput,
  stop: AbortSignal,
  control: ProcessControl = PROCESS,
): Promise<number> {
  control.umask(UMASK);
  const candidates = configCandidates(control.executable);
  const load = () => loadConfig(options.configFile, candidates, control.environment);
  const loaded = await load();
  if (!loaded.ok) {
    output.err(refusalText(loaded.error));
    return 2;
  }
  const { config, warnings } = loaded.value;
  if (config.logFolder === null) {
    // The sentence is known to those who read the journal. Source: agent 1.3.
    output.out("The log folder is not set, skip write to GPA managed file log.\n");
  }
  const { foreground } = options;
  const stopping = new AbortController();
  const asking = new Set<() => void>();
  const watch = watchForStop(stopping, stop, output, control, {
    endsWithTerminal: foreground && control.hasTerminal(),
    reload: () => asking.forEach((callback) => callback()),
  });
  const configSource: ConfigSource = {
    loaded: loaded.value,
    load,
    onAsked(callback, signal) {
      asking.add(callback);
      signal.addEventListener("abort", () => asking.delete(callback), { once: true });
    },
  };
  try {
    return await run(config, { foreground, warnings, configSource }, stopping.signal);
  } catch (error) {
    output.err(`The agent ended: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    watch[Symbol.dispose]();
  }
}

/** What a hang-up means. */
interface HangUp {
  /** The run belongs to a terminal, and ends when that is gone. */
  readonly endsWithTerminal: boolean;
  /** In any other case the configuration is to be read again. */
  readonly reload: () => void;
}

/** Turns signals and `stop` into the orderly stop, until the result is disposed of. */
function watchForStop(
  stopping: AbortController,
  stop: AbortSignal,
  output: CommandOutput,
  control: ProcessControl,
  hangUp: HangUp,
): Disposable {
  let deadline: ReturnType<typeof setTimeout> | undefined;
  let begunMs = Infinity;
  const begin = () => {
    begunMs = Math.min(begunMs, control.nowMs());
    deadline ??= setTimeout(() => {
      output.err("The agent did not stop in time and is ended\n");
      control.exit(1);
    }, STOP_WITHIN_MS);
    stopping.abort();
  };
  const onSignal = () => control.nowMs() - begunMs >= ONE_WISH_MS ? control.exit(1) : begin();
  const onHangUp = () =>
    hangUp.endsWithTerminal && !control.hasTerminal() ? onSignal() : hangUp.reload();
  for (const signal of AGENT_STOP_SIGNALS) control.onSignal(signal, onSignal);
  control.onSignal(RELOAD_SIGNAL, onHangUp);
  if (stop.aborted) begin();
  stop.addEventListener("abort", begin, { once: true });
  return {
    [Symbol.dispose]() {
      clearTimeout(deadline);
      stop.removeEventListener("abort", begin);
      for (const signal of AGENT_STOP_SIGNALS) control.offSignal(signal, onSignal);
      control.offSignal(RELOAD_SIGNAL, onHangUp);
    },
  };
}
