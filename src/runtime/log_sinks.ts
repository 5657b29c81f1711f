import { journalPrefix } from "./journal.ts";
import type { LogLine, LogSink } from "./log_hub.ts";
import { formatHeader } from "./log_line.ts";
import type { LogLevel } from "./logger.ts";
import type { LostLines, RollingFile } from "./rolling_file.ts";

/** The line of a log file that says how many lines are missing before it. */
export function lossNotice(wallMs: number, lost: LostLines): string {
  const since = new Date(lost.sinceWallMs).toISOString();
  return `${formatHeader(wallMs, "warn")}log lines were lost count=${lost.count} since=${since} ` +
    `cause=${JSON.stringify(lost.cause)}`;
}

/** Lines with the header of the log files. Errors are written at once, everything else within 200 ms. Source: agent 8.1. */
export class FileSink implements LogSink {
  readonly #file: RollingFile;

  constructor(file: RollingFile) {
    this.#file = file;
  }

  write(line: LogLine): void {
    const text = formatHeader(line.wallMs, line.level) + line.message;
    if (line.level === "error") this.#file.writeNow(text);
    else this.#file.writeSoon(text);
  }
}

/** Something that takes bytes and may be slow, such as `Deno.stdout`. */
export interface ByteWriter {
  write(bytes: Uint8Array): Promise<number>;
}

/** Lines that wait for a slow reader; more are dropped and counted. */
const LONGEST_QUEUE = 1000;

/**
 * Messages without a header: errors to one writer, the rest to the other. A reader that does not read (a stopped terminal,
 * a stuck journal) holds up nobody: lines queue up to a limit, then they are counted. Source: agent 8.2.
 */
export class ConsoleSink implements LogSink {
  readonly #out: Pump;
  readonly #err: Pump;

  /** `journals`: which of the two ends in the journal, whose lines then begin with their priority. */
  constructor(
    out: ByteWriter,
    err: ByteWriter,
    journals: { readonly out: boolean; readonly err: boolean } = { out: false, err: false },
  ) {
    this.#out = new Pump(out, journals.out);
    this.#err = new Pump(err, journals.err);
  }

  /** Lines that wait to be written. */
  get waitingLines(): number {
    return this.#out.waitingLines + this.#err.waitingLines;
  }

  /** Lines that were lost since the start. */
  get lostLines(): number {
    return this.#out.lostLines + this.#err.lostLines;
  }

  write({ level, message }: LogLine): void {
    const pump = level === "error" ? this.#err : this.#out;
    pump.push(level, message);
  }

  /** Resolves when everything written so far has left or can never leave. */
  async drain(): Promise<void> {
    await Promise.all([this.#out.drain(), this.#err.drain()]);
  }
}

/** Writes lines one batch after another, in order. */
class Pump {
  readonly #writer: ByteWriter;
  readonly #isJournal: boolean;
  readonly #encoder = new TextEncoder();
  #waiting: string[] = [];
  /** Since the last time that it was told. */
  #dropped = 0;
  #lost = 0;
  #running: Promise<void> | null = null;

  constructor(writer: ByteWriter, isJournal: boolean) {
    this.#writer = writer;
    this.#isJournal = isJournal;
  }

  get waitingLines(): number {
    return this.#waiting.length;
  }

  get lostLines(): number {
    return this.#lost;
  }

  push(level: LogLevel, message: string): void {
    if (this.#waiting.length >= LONGEST_QUEUE) {
      this.#dropped++;
      this.#lost++;
      return;
    }
    this.#waiting.push(this.#lineOf(level, message));
    this.#running ??= this.#run();
  }

  drain(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  #lineOf(level: LogLevel, message: string): string {
    return this.#isJournal ? journalPrefix(level) + message : message;
  }

  async #run(): Promise<void> {
    // Lines of the same moment leave together.
    await Promise.resolve();
    let lines: readonly string[] = [];
    try {
      while (this.#waiting.length > 0) {
        const notice = this.#dropped === 0
          ? []
          : [this.#lineOf("warn", `log lines were dropped count=${this.#dropped}`)];
        lines = this.#waiting;
        this.#waiting = [];
        this.#dropped = 0;
        const bytes = this.#encoder.encode(`${[...lines, ...notice].join("\n")}\n`);
        for (let at = 0; at < bytes.length;) at += await this.#writer.write(bytes.subarray(at));
      }
    } catch {
      // Nobody reads any more (a closed terminal). The files have the lines; the next line tries again.
      this.#lost += lines.length;
    } finally {
      this.#running = null;
    }
  }
}
