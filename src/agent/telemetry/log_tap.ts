import type { Clock } from "../../runtime/clock.ts";
import type { LogLine, LogSink } from "../../runtime/log_hub.ts";
import type { LogFields, Logger, LogLevel } from "../../runtime/logger.ts";
import { RateLimit } from "../../runtime/rate_limit.ts";
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

/** DEVIATION D-190: lines that become events; a storm of them must not drive everything else out of the queue. */
const LINE_LIMITS = { burst: 300, perSecond: 2 } as const;

/** Makes events of the lines that reach it, and says how many it could not. Source: wire-protocol 8.8, S-40. */
export class EventSink implements LogSink {
  readonly #recorder: Pick<EventRecorder, "emit">;
  readonly #clock: Clock;
  readonly #lines = new RateLimit(LINE_LIMITS);

  constructor(recorder: Pick<EventRecorder, "emit">, clock: Clock) {
    this.#recorder = recorder;
    this.#clock = clock;
  }

  write({ level, message }: LogLine): void {
    if (!this.#lines.admit(this.#clock.monotonicMs())) return;
    const untold = this.#lines.takeTurnedAway();
    if (untold > 0) this.#emit("warn", "CommonLogger", `${untold} log lines are not told here`);
    const task = message.startsWith(OF_CONNECTION) ? "ConnectionLogger" : "CommonLogger";
    this.#emit(level, task, message);
  }

  #emit(level: LogLevel, task: string, message: string): void {
    this.#recorder.emit({ level, task, operation: "ProxyAgent", message });
  }
}
