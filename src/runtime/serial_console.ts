import { Buffer } from "node:buffer";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import type { Clock } from "./clock.ts";
import { describeFileError } from "./files.ts";
import { escapeUnsafe, formatTimestamp, truncateText } from "./log_line.ts";
import { RateLimit } from "./rate_limit.ts";

/** A console can be as slow as 960 characters a second: only a few lines, and short ones. */
const LIMITS = Object.freeze({ burst: 20, perSecond: 0.2 });
const LONGEST_MESSAGE = 512;

export interface SerialConsoleOptions {
  readonly path: string;
  /** Names the program, its version and its process in each line. */
  readonly tag: string;
  readonly clock: Clock;
  /** Sees the raw text. */
  readonly redact: (text: string) => string;
  /** Hears once what is wrong with the console. */
  readonly onTrouble: (cause: string) => void;
}

/**
 * The few lines that somebody sees who has nothing but the machine's serial console: the start, its milestones and the
 * result. It never waits: where the console takes nothing, a line is lost. Source: agent 8.3.
 */
export class SerialConsole {
  readonly #options: SerialConsoleOptions;
  readonly #limit = new RateLimit(LIMITS);
  #hasTold = false;

  constructor(options: SerialConsoleOptions) {
    this.#options = options;
  }

  /** Writes one line; of a text with several lines, each. Never throws. */
  say(text: string): void {
    for (const line of text.split(/\r?\n/)) if (line !== "") this.#line(line);
  }

  #line(text: string): void {
    const { path, tag, clock, redact } = this.#options;
    if (!this.#limit.admit(clock.monotonicMs())) return;
    const message = truncateText(escapeUnsafe(redact(text)), LONGEST_MESSAGE);
    const line = `${formatTimestamp(clock.wallMs())} ${tag} - ${message}\n`;
    try {
      // The controlling terminal stays what it is, and a console that is held up holds up nobody.
      const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NOCTTY |
        constants.O_NONBLOCK;
      const fd = openSync(path, flags);
      try {
        writeSync(fd, Buffer.from(line));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (this.#hasTold) return;
      this.#hasTold = true;
      this.#options.onTrouble(describeFileError(error));
    }
  }
}
