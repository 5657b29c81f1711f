import type { Clock } from "../../src/runtime/clock.ts";

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #wallMs: number;
  #elapsedMs = 0;
  readonly #bootNs: bigint;
  readonly #sleepers = new Set<Sleeper>();

  /** Starts at 2026-01-06T07:08:09.123Z, one hour after boot, unless told otherwise. */
  constructor(options: { readonly wallMs?: number; readonly bootNs?: bigint } = {}) {
    this.#wallMs = options.wallMs ?? Date.UTC(2026, 0, 6, 7, 8, 9, 123);
    this.#bootNs = options.bootNs ?? 3_600_000_000_000n;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  bootNs(): bigint {
    return this.#bootNs + BigInt(Math.round(this.#elapsedMs * 1e6));
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper: Sleeper = { dueMs: this.#elapsedMs + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  /** How many sleeps are waiting. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Lets everything that is ready run, without moving the time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  }

  /** Moves all three times, waking each sleeper at its own moment and letting it run before the next. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms;
    await this.settle();
    while (true) {
      let next: Sleeper | null = null;
      for (const sleeper of this.#sleepers) {
        if (sleeper.dueMs <= endMs && (next === null || sleeper.dueMs < next.dueMs)) next = sleeper;
      }
      if (next === null) break;
      this.#moveTo(Math.max(next.dueMs, this.#elapsedMs));
      next.wake();
      await this.settle();
    }
    this.#moveTo(endMs);
    await this.settle();
  }

  /** Moves all three times at once and wakes nobody. */
  tick(ms: number): void {
    this.#moveTo(this.#elapsedMs + ms);
  }

  /** Sets the wall time alone, as an administrator or a time service does. */
  jumpWall(ms: number): void {
    this.#wallMs += ms;
  }

  #moveTo(elapsedMs: number): void {
    this.#wallMs += elapsedMs - this.#elapsedMs;
    this.#elapsedMs = elapsedMs;
  }
}
