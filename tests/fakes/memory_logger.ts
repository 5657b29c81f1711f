import type { LogFields, Logger, LogLevel } from "../../src/runtime/logger.ts";

/** One line as the code under test wrote it. */
export interface MemoryLine {
  readonly level: LogLevel;
  readonly part: string | null;
  readonly text: string;
  readonly fields: LogFields;
}

/** Keeps every line, so that a test can look at it. Children write to the list of their parent. */
export class MemoryLogger implements Logger {
  readonly lines: MemoryLine[];
  readonly #part: string | null;

  constructor(lines: MemoryLine[] = [], part: string | null = null) {
    this.lines = lines;
    this.#part = part;
  }

  error(text: string, fields: LogFields = {}): void {
    this.#add("error", text, fields);
  }
  warn(text: string, fields: LogFields = {}): void {
    this.#add("warn", text, fields);
  }
  info(text: string, fields: LogFields = {}): void {
    this.#add("info", text, fields);
  }
  debug(text: string, fields: LogFields = {}): void {
    this.#add("debug", text, fields);
  }
  trace(text: string, fields: LogFields = {}): void {
    this.#add("trace", text, fields);
  }
  child(part: string): Logger {
    return new MemoryLogger(this.lines, part);
  }

  /** The texts of one level, in order. */
  texts(level: LogLevel): string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.text);
  }

  #add(level: LogLevel, text: string, fields: LogFields): void {
    this.lines.push({ level, part: this.#part, text, fields });
  }
}
