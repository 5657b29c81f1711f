import { Interrupted } from "./failure.ts";

/** What became of a command. */
export interface CommandOutcome {
  /** Exit code; 128 plus the signal's number when a signal ended it. */
  readonly code: number;
  /** True when the time limit ended it. */
  readonly timedOut: boolean;
  /** The last part of what it printed, standard output and error in the order of arrival. */
  readonly tail: string;
}

export interface CommandOptions {
  /** The command gets SIGINT after this long, its process group SIGKILL five seconds later. */
  readonly limitMs: number;
  /** Where everything it prints is appended; nowhere when absent. */
  readonly logPath?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called with each whole line that the command prints. */
  readonly onLine?: (line: string) => void;
}

const GRACE_MS = 5_000;
const TAIL_LENGTH = 65_536;
/** How long output is awaited from grandchildren that outlive the command, before they are ended. */
const DRAIN_MS = 1_000;

/**
 * Runs a command in a process group of its own, so that nothing it started survives it, and waits for its end.
 * Ctrl-C and SIGTERM are passed on first and then thrown.
 * @throws Interrupted when this process was asked to stop.
 */
export async function runCommand(
  command: readonly [string, ...string[]],
  options: CommandOptions,
): Promise<CommandOutcome> {
  const [program, ...args] = command;
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
    ...(options.env && { env: { ...options.env } }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  }).spawn();
  const log = options.logPath === undefined
    ? null
    : Deno.openSync(options.logPath, { write: true, create: true, append: true });

  let ended = false;
  let interruptedBy: Deno.Signal | null = null;
  let timedOut = false;
  let graceTimer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    if (ended) return;
    signalProcess(child.pid, "SIGINT");
    graceTimer ??= setTimeout(() => signalProcess(-child.pid, "SIGKILL"), GRACE_MS);
  };
  const onSignal = (signal: Deno.Signal) => () => {
    interruptedBy = signal;
    stop();
  };
  const listeners = (["SIGINT", "SIGTERM"] as const).map((signal) =>
    [signal, onSignal(signal)] as const
  );
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  const limitTimer = setTimeout(() => {
    timedOut = true;
    stop();
  }, options.limitMs);

  const output = new OutputCollector(log, options.onLine ?? (() => {}));
  try {
    const pumps = Promise.all([output.drain(child.stdout), output.drain(child.stderr)]);
    const status = await child.status;
    ended = true;
    await withinMs(DRAIN_MS, pumps);
    signalProcess(-child.pid, "SIGKILL");
    await withinMs(DRAIN_MS, pumps);
    await output.abandon();
    await pumps;
    if (interruptedBy !== null) throw new Interrupted(interruptedBy);
    return { code: status.code, timedOut, tail: output.tail() };
  } finally {
    clearTimeout(limitTimer);
    clearTimeout(graceTimer);
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    log?.close();
  }
}

/** Collects what a command prints: everything into the log, the end into memory, whole lines to a listener. */
class OutputCollector {
  readonly #log: Deno.FsFile | null;
  readonly #onLine: (line: string) => void;
  readonly #readers: ReadableStreamDefaultReader<Uint8Array>[] = [];
  #tail = "";

  constructor(log: Deno.FsFile | null, onLine: (line: string) => void) {
    this.#log = log;
    this.#onLine = onLine;
  }

  async drain(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    this.#readers.push(reader);
    let line = "";
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const chunk = read.value;
      if (this.#log !== null) writeAll(this.#log, chunk);
      const text = decoder.decode(chunk, { stream: true });
      this.#tail = (this.#tail + text).slice(-TAIL_LENGTH);
      const lines = (line + text).split("\n");
      line = (lines.pop() ?? "").slice(-TAIL_LENGTH);
      for (const whole of lines) this.#onLine(whole);
    }
    if (line !== "") this.#onLine(line);
  }

  /** Stops listening: a process that moved to another group may hold the pipes open for ever. */
  async abandon(): Promise<void> {
    for (const reader of this.#readers) await reader.cancel();
  }

  tail(): string {
    return this.#tail;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

/** Waits for `work`, but no longer than `ms`. */
async function withinMs(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([work, limit]);
  clearTimeout(timer);
}

/** Signals a process, or a whole group when `pid` is negative; one that is gone already is fine. */
function signalProcess(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (
      !(error instanceof Deno.errors.NotFound) && !(error instanceof Deno.errors.PermissionDenied)
    ) {
      throw error;
    }
  }
}
