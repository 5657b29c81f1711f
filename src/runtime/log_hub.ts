import type { Clock } from "./clock.ts";
import { formatMessage } from "./log_line.ts";
import type { LogFields, Logger, LogLevel } from "./logger.ts";

/** Severity as a number: the smaller, the more severe. */
const RANK: Readonly<Record<LogLevel, number>> = Object.freeze({
  error: 0,
  warn: 1,
  info: 2,
  debug: 3,
  trace: 4,
});

/** A line on its way to the sinks: escaped, redacted and cut already. */
export interface LogLine {
  readonly wallMs: number;
  readonly level: LogLevel;
  readonly message: string;
}

/** Where lines go. `write` neither waits nor throws. */
export interface LogSink {
  write(line: LogLine): void;
}

/** A sink with the least severe level it wants; `null` silences it. Both may change while the program runs. */
export interface LogOutput {
  readonly sink: LogSink;
  level: LogLevel | null;
}

/** The levels of named outputs, to be read and changed while the program runs. */
export class LogLevels {
  readonly #outputs: ReadonlyMap<string, LogOutput>;

  constructor(outputs: Readonly<Record<string, LogOutput | null>>) {
    const present = Object.entries(outputs).filter((entry): entry is [string, LogOutput] =>
      entry[1] !== null
    );
    this.#outputs = new Map(present);
  }

  /** The least severe level of each output; `null` for a silent one. */
  all(): Readonly<Record<string, LogLevel | null>> {
    return Object.fromEntries([...this.#outputs].map(([name, { level }]) => [name, level]));
  }

  /** Changes the level of an output from the next line on. Returns whether there is such an output. */
  set(name: string, level: LogLevel | null): boolean {
    const output = this.#outputs.get(name);
    if (output === undefined) return false;
    output.level = level;
    return true;
  }
}

/** Formats each line once and hands it to every output that wants its level. */
export class LogHub {
  readonly #clock: Clock;
  readonly #redact: (text: string) => string;
  readonly #outputs: readonly LogOutput[];

  /** `redact` sees the raw text of each field before it is quoted. */
  constructor(
    options: {
      readonly clock: Clock;
      readonly redact: (text: string) => string;
      readonly outputs: readonly LogOutput[];
    },
  ) {
    this.#clock = options.clock;
    this.#redact = options.redact;
    this.#outputs = options.outputs;
  }

  /** A logger whose lines carry no part. */
  logger(): Logger {
    return new HubLogger(this, null);
  }

  /** Formats and distributes one line. Never throws. */
  write(level: LogLevel, part: string | null, text: string, fields: LogFields): void {
    const rank = RANK[level];
    let line: LogLine | null = null;
    for (const output of this.#outputs) {
      if (output.level === null || RANK[output.level] < rank) continue;
      try {
        line ??= this.#format(level, part, text, fields);
        output.sink.write(line);
      } catch {
        // The log must never take down what it reports on; the other outputs still get the line.
      }
    }
  }

  #format(level: LogLevel, part: string | null, text: string, fields: LogFields): LogLine {
    const all = part === null ? fields : { part, ...fields };
    return {
      wallMs: this.#clock.wallMs(),
      level,
      message: formatMessage(text, all, this.#redact),
    };
  }
}

class HubLogger implements Logger {
  readonly #hub: LogHub;
  readonly #part: string | null;

  constructor(hub: LogHub, part: string | null) {
    this.#hub = hub;
    this.#part = part;
  }

  error(text: string, fields: LogFields = {}): void {
    this.#hub.write("error", this.#part, text, fields);
  }
  warn(text: string, fields: LogFields = {}): void {
    this.#hub.write("warn", this.#part, text, fields);
  }
  info(text: string, fields: LogFields = {}): void {
    this.#hub.write("info", this.#part, text, fields);
  }
  debug(text: string, fields: LogFields = {}): void {
    this.#hub.write("debug", this.#part, text, fields);
  }
  trace(text: string, fields: LogFields = {}): void {
    this.#hub.write("trace", this.#part, text, fields);
  }
  child(part: string): Logger {
    return new HubLogger(this.#hub, part);
  }
}
