/** An event on its way to the disk or the host, with its number. */
export interface Queued<T> {
  readonly seq: number;
  readonly event: T;
}

/** DEVIATION D-135: a bounded queue whose oldest entry gives way, and is counted: what happened last explains most. */
export class EventQueue<T> {
  readonly #capacity: number;
  #entries: Queued<T>[] = [];
  #nextSeq = 0;
  #dropped = 0;

  /** @param capacity entries kept, at least 1 */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Events that gave way since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  push(event: T): void {
    if (this.#entries.length >= this.#capacity) {
      this.#entries.shift();
      this.#dropped++;
    }
    this.#entries.push({ seq: this.#nextSeq++, event });
  }

  /** What waits, oldest first. It stays until `removeUpTo`. */
  peek(): readonly Queued<T>[] {
    return [...this.#entries];
  }

  /** Removes the entries up to this number, as far as they are still there. */
  removeUpTo(seq: number): void {
    const kept = this.#entries.findIndex((entry) => entry.seq > seq);
    this.#entries = kept < 0 ? [] : this.#entries.slice(kept);
  }
}
