const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A line that cannot be used, and why. */
export interface LineFault {
  readonly fault: string;
}

/** A line without its end. */
export type Line = string | LineFault;

/** Cuts a stream of bytes into lines of UTF-8. Keeps at most one unfinished line, and of that no more than the limit. */
export class LineSplitter {
  readonly #strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #longest: number;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #skipping = false;

  /** @param longestBytes a longer line is a fault */
  constructor(longestBytes: number) {
    this.#longest = longestBytes;
  }

  /** The lines that `chunk` completes. The chunk may be reused by the caller. */
  push(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let start = 0;
    const first = chunk.indexOf(LINE_FEED);
    if (first < 0) {
      this.#keep(chunk);
      return lines;
    }
    if (this.#skipping || this.#keptBytes > 0) {
      this.#keep(chunk.subarray(0, first));
      lines.push(this.#takeKept());
      start = first + 1;
    }
    const last = chunk.lastIndexOf(LINE_FEED);
    if (last >= start) this.#cut(chunk.subarray(start, last), lines);
    this.#keep(chunk.subarray(last + 1));
    return lines;
  }

  /** The last line, when it has no end; `null` when there is none. */
  end(): Line | null {
    return this.#skipping || this.#keptBytes > 0 ? this.#takeKept() : null;
  }

  /** Whole lines: decoded at once where all are well-formed, which is nearly always. */
  #cut(bytes: Uint8Array, lines: Line[]): void {
    let texts: string[] | null = null;
    try {
      texts = this.#strict.decode(bytes).split("\n");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    if (texts !== null) {
      for (const text of texts) lines.push(this.#line(text));
      return;
    }
    for (let at = 0; at <= bytes.length;) {
      const feed = bytes.indexOf(LINE_FEED, at);
      const end = feed < 0 ? bytes.length : feed;
      lines.push(this.#decoded(bytes.subarray(at, end)));
      at = end + 1;
    }
  }

  #keep(bytes: Uint8Array): void {
    if (this.#skipping || bytes.length === 0) return;
    this.#keptBytes += bytes.length;
    // A carriage return does not count.
    if (this.#keptBytes > this.#longest + 1) {
      this.#skipping = true;
      this.#kept = [];
      return;
    }
    this.#kept.push(bytes.slice());
  }

  #takeKept(): Line {
    const skipped = this.#skipping;
    const bytes = new Uint8Array(skipped ? 0 : this.#keptBytes);
    let at = 0;
    for (const piece of this.#kept) {
      bytes.set(piece, at);
      at += piece.length;
    }
    this.#kept = [];
    this.#keptBytes = 0;
    this.#skipping = false;
    return skipped ? this.#tooLong() : this.#decoded(bytes);
  }

  #decoded(bytes: Uint8Array): Line {
    try {
      return this.#line(this.#strict.decode(bytes));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return { fault: "the line is not UTF-8" };
    }
  }

  #line(text: string): Line {
    const whole = text.charCodeAt(text.length - 1) === CARRIAGE_RETURN ? text.slice(0, -1) : text;
    // In UTF-8 a text has at least as many bytes as it has units.
    return whole.length > this.#longest ? this.#tooLong() : whole;
  }

  #tooLong(): LineFault {
    return { fault: `the line is longer than ${this.#longest} bytes` };
  }
}

/** Where bytes come from. */
export interface ByteSource {
  read(buffer: Uint8Array): Promise<number | null>;
}

const CHUNK_BYTES = 256 * 1024;

/** The lines of a source, as many at a time as a read brought. */
export async function* readLines(
  source: ByteSource,
  longestBytes: number,
): AsyncGenerator<readonly Line[], void> {
  const splitter = new LineSplitter(longestBytes);
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let read = await source.read(buffer); read !== null; read = await source.read(buffer)) {
    const lines = splitter.push(buffer.subarray(0, read));
    if (lines.length > 0) yield lines;
  }
  const last = splitter.end();
  if (last !== null) yield [last];
}
