const decoder = new TextDecoder();
const START_TIME_FIELD = 22;
/** Fields of /proc/<pid>/stat behind the command's closing parenthesis begin with number 3. */
const FIRST_FIELD_AFTER_COMMAND = 3;

/** Start time out of the text of /proc/<pid>/stat, in 1/100 s since boot; `null` when the text is not of that form. Source: proc(5). */
export function startTicksOf(stat: Uint8Array): number | null {
  const text = decoder.decode(stat);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[START_TIME_FIELD - FIRST_FIELD_AFTER_COMMAND]);
  return Number.isSafeInteger(ticks) && ticks > 0 ? ticks : null;
}

/** When a process started, in 1/100 s since boot; `null` when there is no such process. */
export function processStartTicks(pid: number): number | null {
  try {
    return startTicksOf(Deno.readFileSync(`/proc/${pid}/stat`));
  } catch {
    return null;
  }
}

const NS_PER_TICK = 10_000_000n;

/** Whether the kernel's exact start time is the one that /proc shows rounded down. */
export function startsAtTick(startedAtBootNs: bigint, ticks: number): boolean {
  return startedAtBootNs / NS_PER_TICK === BigInt(ticks);
}
