import type { Clock } from "./clock.ts";

/** The longest time that a timer of the engine can wait, milliseconds; longer sleeps are made of several. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * Reads nanoseconds since boot from `/proc/uptime`, which counts suspension and is exact to 10 ms.
 * Where there is no such file, the monotonic time of the process stands in. Source: proc(5).
 */
export function readBootNs(path = "/proc/uptime"): bigint {
  let text = "";
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    // Fall through: a system without the file has no kernel records to compare with either.
  }
  const match = /^(\d+)\.(\d{1,9})/.exec(text);
  if (match === null) return BigInt(Math.round(performance.now() * 1e6));
  const [, seconds = "0", fraction = ""] = match;
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** The machine's time. `bootNs` should be given a reader of CLOCK_BOOTTIME where one is at hand. */
export class SystemClock implements Clock {
  readonly #bootNs: () => bigint;

  constructor(options: { readonly bootNs?: () => bigint } = {}) {
    this.#bootNs = options.bootNs ?? readBootNs;
  }

  wallMs(): number {
    return Date.now();
  }

  bootNs(): bigint {
    return this.#bootNs();
  }

  monotonicMs(): number {
    return performance.now();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    for (let left = ms; left > 0 && signal?.aborted !== true; left -= LONGEST_TIMER_MS) {
      await sleepOnce(Math.min(left, LONGEST_TIMER_MS), signal);
    }
  }
}

function sleepOnce(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}
