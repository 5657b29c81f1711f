/**
 * @module
 * Owned resources of C: each has exactly one owner, is released once and cannot be used afterwards.
 */

/** An open file descriptor. */
export class Fd {
  #fd: number;
  readonly #close: (fd: number) => void;

  constructor(fd: number, close: (fd: number) => void) {
    this.#fd = fd;
    this.#close = close;
  }

  /** The descriptor's number. @throws Error when it was closed */
  get number(): number {
    if (this.#fd < 0) throw new Error("use of a closed descriptor");
    return this.#fd;
  }

  /** Whether it was not closed yet. */
  get isOpen(): boolean {
    return this.#fd >= 0;
  }

  /** Closes it; does nothing the second time. */
  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    this.#close(fd);
  }
}
