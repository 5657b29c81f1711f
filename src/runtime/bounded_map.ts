/** A map that holds at most `capacity` entries; to make room it forgets the one that was not asked for the longest. */
export class BoundedMap<K, V> {
  readonly #capacity: number;
  readonly #evicted: (key: K, value: V) => void;
  // A Map remembers the order of insertion; taking an entry out and putting it back makes it the youngest.
  readonly #entries = new Map<K, V>();

  /** `evicted` hears of each entry that had to make room. @throws RangeError for a capacity below 1. */
  constructor(capacity: number, evicted: (key: K, value: V) => void = () => {}) {
    if (!(capacity >= 1)) {
      throw new RangeError(`The capacity must be at least 1, not \`${capacity}\``);
    }
    this.#capacity = capacity;
    this.#evicted = evicted;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value of `key`, which thereby becomes the youngest; `undefined` when there is none. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  /** The value of `key` without making it younger; `undefined` when there is none. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  /** Enters or replaces an entry, as the youngest. */
  set(key: K, value: V): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#capacity) {
      for (const [oldKey, oldValue] of this.#entries) {
        this.#entries.delete(oldKey);
        this.#evicted(oldKey, oldValue);
        break;
      }
    }
    this.#entries.set(key, value);
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  /** All entries, the oldest first. Entries may be deleted meanwhile. */
  entries(): IterableIterator<[K, V]> {
    return this.#entries.entries();
  }
}
