import { setImmediate } from "node:timers";

/**
 * Runs `work` while the event loop turns as fast as it can, and returns the longest time for which it did not turn, in
 * milliseconds.
 */
export async function longestGapMs(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  let isRunning = true;
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (isRunning) setImmediate(turn);
  };
  await new Promise((resolve) => setImmediate(resolve));
  last = performance.now();
  setImmediate(turn);
  await work();
  isRunning = false;
  await new Promise((resolve) => setImmediate(resolve));
  turn();
  return longest;
}
