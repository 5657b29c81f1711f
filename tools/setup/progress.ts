/** Work shorter than this needs no sign of life. */
const QUIET_MS = 2_000;
/** How often a line on a terminal is written anew. */
const TERMINAL_STEP_MS = 500;
/** Longest silence where every sign of life is a line of its own. */
const LONGEST_SILENCE_MS = 30_000;
/** Detail shown beside the label, cut so that the line stays a line. */
const DETAIL_LENGTH = 70;

/**
 * When the next sign of life is due on an output that keeps every line: after 2, 4, 8, 16 seconds and then every half
 * minute, so that neither a short nor a long job fills the log.
 */
export function nextSignMs(elapsedMs: number): number {
  let next = QUIET_MS;
  while (next <= elapsedMs && next < LONGEST_SILENCE_MS) next *= 2;
  if (next <= LONGEST_SILENCE_MS && next > elapsedMs) return next;
  return (Math.floor(elapsedMs / LONGEST_SILENCE_MS) + 1) * LONGEST_SILENCE_MS;
}

/** A number of milliseconds as people say it: `0.4 s`, `12 s`, `3 min 05 s`. */
export function spoken(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** What else is shown about a piece of work. */
export interface ProgressOptions<T> {
  /** The newest thing known while it goes on, such as the test that runs. */
  readonly detail?: () => string;
  /** What came of it, in a word or two; `done` when absent. */
  readonly verdict?: (result: T) => string;
}

/** Says what is being done, shows that it goes on when it takes longer than two seconds, and says how long it took. */
export async function withProgress<T>(
  label: string,
  work: () => Promise<T>,
  { detail = () => "", verdict = () => "done" }: ProgressOptions<T> = {},
): Promise<T> {
  const terminal = Deno.stdout.isTerminal();
  const startedMs = performance.now();
  const show = () => {
    const shown = detail().replaceAll(/\p{Cc}+/gu, " ").trim().slice(0, DETAIL_LENGTH);
    const text = `${label} … ${spoken(performance.now() - startedMs)}${shown && `  ${shown}`}`;
    if (terminal) writeNow(`\r\x1b[K${text}`);
    else console.log(text);
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const schedule = (previousMs: number) => {
    const dueMs = terminal && previousMs >= QUIET_MS
      ? previousMs + TERMINAL_STEP_MS
      : nextSignMs(previousMs);
    timer = setTimeout(() => {
      show();
      schedule(Math.max(dueMs, performance.now() - startedMs));
    }, dueMs - previousMs);
  };
  if (terminal) writeNow(`${label} …`);
  schedule(0);
  try {
    const result = await work();
    if (terminal) writeNow("\r\x1b[K");
    console.log(`${label}: ${verdict(result)} in ${spoken(performance.now() - startedMs)}`);
    return result;
  } catch (error) {
    if (terminal) writeNow("\r\x1b[K");
    console.log(`${label}: failed after ${spoken(performance.now() - startedMs)}`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function writeNow(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
