import type { AuditEntry } from "../audit/mod.ts";
import { decisionLine, lineText } from "./decision_line.ts";

/** Who may watch at the same time. */
const MOST_READERS = 8;
/** Decisions that wait for a reader; one more, and it is dropped. */
const MOST_WAITING = 8_192;
/** Decisions that are made text at once: about a millisecond. */
const BATCH = 256;

interface Seen {
  readonly entry: AuditEntry;
  readonly wallMs: number;
}

/** What waits for one reader. */
interface Reader {
  waiting: Seen[];
  isDropped: boolean;
  /** Ends the wait for more. */
  wake: () => void;
}

/**
 * Hands each decision to everybody who watches. A request only puts a reference into lists that are bounded; the text is made
 * when a reader takes it. A reader whose list is full is dropped, told so when it reads on, and counted.
 */
export class DecisionFeed {
  readonly #redact: (text: string) => string;
  readonly #readers = new Set<Reader>();
  #open = 0;
  #dropped = 0;
  #isClosed = false;

  /** `redact` takes secrets out of targets. */
  constructor(redact: (text: string) => string) {
    this.#redact = redact;
  }

  /** Readers that are handed decisions now. */
  get readers(): number {
    return this.#readers.size;
  }

  /** Readers that were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Decisions that wait for the slowest reader. */
  get waiting(): number {
    let most = 0;
    for (const { waiting } of this.#readers) most = Math.max(most, waiting.length);
    return most;
  }

  /** Hands a decision to all readers. Never throws, never waits. */
  push(entry: AuditEntry, wallMs: number): void {
    for (const reader of this.#readers) {
      if (reader.waiting.length >= MOST_WAITING) this.#drop(reader);
      else {
        if (reader.waiting.length === 0) reader.wake();
        reader.waiting.push({ entry, wallMs });
      }
    }
  }

  /**
   * A stream of lines of JSON, one for each decision from now on; `null` when there are readers enough. A reader that was
   * dropped keeps its place until its connection ends, so that connections which nobody reads are bounded as well.
   */
  read(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (this.#open >= MOST_READERS || this.#isClosed) return null;
    const reader: Reader = { waiting: [], isDropped: false, wake: () => {} };
    const encoder = new TextEncoder();
    this.#readers.add(reader);
    this.#open++;
    let isEnded = false;
    const end = () => {
      if (!isEnded) this.#open--;
      isEnded = true;
      this.#readers.delete(reader);
      reader.waiting = [];
    };
    return new ReadableStream({
      start: (controller) => controller.enqueue(encoder.encode(lineText({ kind: "watching" }))),
      pull: async (controller) => {
        if (reader.waiting.length === 0 && !reader.isDropped && !this.#isClosed) {
          await new Promise<void>((resolve) => reader.wake = resolve);
        }
        if (isEnded) return;
        if (reader.isDropped || this.#isClosed) {
          const kind = reader.isDropped ? "dropped" : "stopping";
          controller.enqueue(encoder.encode(lineText({ kind })));
          controller.close();
          end();
          return;
        }
        controller.enqueue(encoder.encode(this.#text(reader)));
      },
      cancel: () => {
        end();
        reader.wake();
      },
    }, { highWaterMark: 0 });
  }

  /** Ends all streams. */
  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers) reader.wake();
  }

  #text(reader: Reader): string {
    const batch = reader.waiting.slice(0, BATCH);
    reader.waiting = reader.waiting.slice(BATCH);
    let text = "";
    for (const { entry, wallMs } of batch) {
      text += lineText(decisionLine(entry, wallMs, this.#redact));
    }
    return text;
  }

  #drop(reader: Reader): void {
    reader.isDropped = true;
    reader.waiting = [];
    this.#readers.delete(reader);
    this.#dropped++;
    reader.wake();
  }
}
