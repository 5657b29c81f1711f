import type { LogLine, LogSink } from "../../runtime/log_hub.ts";
import type { LogFields, Logger, LogLevel } from "../../runtime/logger.ts";
import type { EventRecorder } from "./recorder.ts";

/** A line on its way to the log, in its parts. */
export type LogTap = (
  level: LogLevel,
  part: string | null,
  text: string,
  fields: LogFields,
) => void;

/** A logger that lets somebody else see what is logged, whatever level the log has. */
export class TappedLogger implements Logger {
  readonly #inner: Logger;
  readonly #tap: LogTap;
  readonly #part: string | null;

  constructor(inner: Logger, tap: LogTap, part: string | null = null) {
    this.#inner = inner;
    this.#tap = tap;
    this.#part = part;
  }

  error(text: string, fields: LogFields = {}): void {
    this.#log("error", text, fields);
  }
  warn(text: string, fields: LogFields = {}): void {
    this.#log("warn", text, fields);
  }
  info(text: string, fields: LogFields = {}): void {
    this.#log("info", text, fields);
  }
  debug(text: string, fields: LogFields = {}): void {
    this.#log("debug", text, fields);
  }
  trace(text: string, fields: LogFields = {}): void {
    this.#log("trace", text, fields);
  }
  child(part: string): Logger {
    return new TappedLogger(this.#inner.child(part), this.#tap, part);
  }

  #log(level: LogLevel, text: string, fields: LogFields): void {
    this.#inner[level](text, fields);
    this.#tap(level, this.#part, text, fields);
  }
}

/** How the lines about a connection begin that matchers disagreed on. Source: wire-protocol 8.8. */
const OF_CONNECTION = "CANON_DIVERGENCE ";

/** Makes an event of each line that reaches it. Source: wire-protocol 8.8. */
export class EventSink implements LogSink {
  readonly #recorder: Pick<EventRecorder, "emit">;

  constructor(recorder: Pick<EventRecorder, "emit">) {
    this.#recorder = recorder;
  }

  write(line: LogLine): void {
    this.#recorder.emit({
      level: line.level,
      task: line.message.startsWith(OF_CONNECTION) ? "ConnectionLogger" : "CommonLogger",
      operation: "ProxyAgent",
      message: line.message,
    });
  }
}
