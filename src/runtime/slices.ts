import type { Clock } from "./clock.ts";

/** How long work goes on before others get their turn, milliseconds. */
export const SLICE_MS = 2;
/** How long it then rests; shorter sleeps may not let the event loop go round. */
const REST_MS = 1;

/** Runs work that comes in small steps, and gives everything else its turn in between. */
export type Pace = <T>(steps: Generator<unknown, T>) => Promise<T>;

/** A pace that holds up nothing else for much longer than `SLICE_MS` at a time. */
export function slicedBy(clock: Clock): Pace {
  return async (steps) => {
    for (;;) {
      const untilMs = clock.monotonicMs() + SLICE_MS;
      do {
        const step = steps.next();
        if (step.done === true) return step.value;
      } while (clock.monotonicMs() < untilMs);
      await clock.sleep(REST_MS);
    }
  };
}

/** All steps at once, for who has nothing else to do. */
export const unpaced: Pace = <T>(steps: Generator<unknown, T>) => {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return Promise.resolve(step.value);
  }
};
