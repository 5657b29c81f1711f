/** Bytes received and not yet taken, in one array that grows when it must, up to a limit. */
export class ReadBuffer {
  #bytes: Uint8Array<ArrayBuffer>;
  #start = 0;
  #end = 0;

  /** @param initialBytes capacity at the start and after `release` @param maxBytes capacity it never exceeds */
  constructor(readonly initialBytes: number, readonly maxBytes: number) {
    this.#bytes = new Uint8Array(initialBytes);
  }

  /** The array behind `start` and `end`. Valid until the next `space`, `reserve` or `release`. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }
  /** Index of the first byte not yet taken. */
  get start(): number {
    return this.#start;
  }
  /** Index behind the last byte received. */
  get end(): number {
    return this.#end;
  }
  /** Bytes received and not yet taken. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Free room to receive into, at least one byte; empty when `maxBytes` bytes are waiting to be taken. */
  space(): Uint8Array<ArrayBuffer> {
    if (this.#end === this.#bytes.length) {
      const capacity = this.#bytes.length;
      const mostlyTaken = this.length * 2 <= capacity && this.#start > 0;
      this.#makeRoom(mostlyTaken ? capacity : Math.min(this.maxBytes, capacity * 2));
    }
    return this.#end === 0 ? this.#bytes : this.#bytes.subarray(this.#end);
  }

  /** Makes sure that `total` untaken bytes will fit, `maxBytes` at most. */
  reserve(total: number): void {
    if (this.#bytes.length - this.#start < total) this.#makeRoom(Math.min(this.maxBytes, total));
  }

  /** `count` bytes were received into `space()`. */
  filled(count: number): void {
    this.#end += count;
  }

  /** `count` bytes were taken. */
  take(count: number): void {
    this.#start += count;
    if (this.#start === this.#end) this.#start = this.#end = 0;
  }

  /** Copies `bytes` in. Returns how many fitted. */
  append(bytes: Uint8Array): number {
    this.reserve(this.length + bytes.length);
    const space = this.space();
    const count = Math.min(space.length, bytes.length);
    space.set(bytes.subarray(0, count));
    this.#end += count;
    return count;
  }

  /** Gives memory above the initial capacity back when nothing is waiting. */
  release(): void {
    if (this.length === 0 && this.#bytes.length > this.initialBytes) {
      this.#bytes = new Uint8Array(this.initialBytes);
    }
  }

  #makeRoom(capacity: number): void {
    const length = this.length;
    if (capacity > this.#bytes.length) {
      const larger = new Uint8Array(capacity);
      larger.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = larger;
    } else {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = length;
  }
}
