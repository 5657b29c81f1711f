/** One value, replaced whole by one writer and read by many. Readers get the reference of the moment; nothing is locked. */
export class Cell<T> {
  #value: T;
  readonly #subscribers = new Set<(value: T) => void>();

  constructor(initial: T) {
    this.#value = initial;
  }

  /** The value of the moment. */
  get(): T {
    return this.#value;
  }

  /** Replaces the value, then tells the subscribers in the order of their subscription. */
  publish(value: T): void {
    this.#value = value;
    for (const subscriber of [...this.#subscribers]) subscriber(value);
  }

  /** Calls `subscriber` after each publication until `signal` fires. */
  subscribe(subscriber: (value: T) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#subscribers.add(subscriber);
    signal.addEventListener("abort", () => this.#subscribers.delete(subscriber), { once: true });
  }
}
