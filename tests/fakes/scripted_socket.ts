import type { ClientSocket } from "../../src/agent/proxy/client_connection.ts";

/** A connection whose other end is the test: it decides what arrives, and when, and sees what was sent. */
export class ScriptedSocket implements ClientSocket {
  /** Everything written so far. */
  readonly sent: Uint8Array[] = [];
  isClosed = false;
  /** Whether it was said that nothing more is written. */
  isWriteClosed = false;
  /** Whether small writes go out at once. */
  noDelay = false;
  /** Reads asked for so far. */
  reads = 0;
  /** How `write` behaves: takes everything, takes a few bytes at a time, fails, or never ends. */
  writing: "all" | "few" | "failing" | "stalled" = "all";
  readonly #arrived: Uint8Array[] = [];
  #ended: "no" | "closed" | "reset" = "no";
  #waiting: {
    into: Uint8Array;
    resolve: (count: number | null) => void;
    reject: (error: Error) => void;
  } | null = null;

  get sentText(): string {
    return this.sent.map((bytes) => new TextDecoder().decode(bytes)).join("");
  }

  /** Whether somebody waits for bytes. */
  get isRead(): boolean {
    return this.#waiting !== null;
  }

  push(data: string | Uint8Array): void {
    const bytes = typeof data === "string"
      ? Uint8Array.from(data, (character) => character.charCodeAt(0))
      : data;
    this.#arrived.push(bytes);
    this.#serve();
  }

  /** The other end closes, or says that it sends no more. */
  end(): void {
    this.#ended = "closed";
    this.#serve();
  }

  /** The other end resets the connection. */
  reset(): void {
    this.#ended = "reset";
    this.#serve();
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#waiting !== null) throw new Error("two reads at once");
    this.reads++;
    return new Promise((resolve, reject) => {
      this.#waiting = { into, resolve, reject };
      this.#serve();
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    switch (this.writing) {
      case "failing":
        return Promise.reject(new Deno.errors.BrokenPipe("the peer is gone"));
      case "stalled":
        return new Promise(() => {});
      case "few": {
        const taken = bytes.slice(0, 7);
        this.sent.push(taken);
        return Promise.resolve(taken.length);
      }
      case "all":
        this.sent.push(bytes.slice());
        return Promise.resolve(bytes.length);
    }
  }

  closeWrite(): Promise<void> {
    this.isWriteClosed = true;
    return Promise.resolve();
  }

  setNoDelay(isSet: boolean): void {
    this.noDelay = isSet;
  }

  close(): void {
    if (this.isClosed) throw new Deno.errors.BadResource("closed already");
    this.isClosed = true;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(new Deno.errors.BadResource("closed"));
  }

  #serve(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    const bytes = this.#arrived[0];
    if (bytes !== undefined) {
      this.#waiting = null;
      const count = Math.min(bytes.length, waiting.into.length);
      waiting.into.set(bytes.subarray(0, count));
      if (count === bytes.length) this.#arrived.shift();
      else this.#arrived[0] = bytes.subarray(count);
      waiting.resolve(count);
    } else if (this.#ended === "closed") {
      this.#waiting = null;
      waiting.resolve(null);
    } else if (this.#ended === "reset") {
      this.#waiting = null;
      waiting.reject(new Deno.errors.ConnectionReset("reset by the peer"));
    }
  }
}
