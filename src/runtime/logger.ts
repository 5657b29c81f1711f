import type { Scalar } from "./errors.ts";

/** Severity, most severe first. */
export type LogLevel = "error" | "warn" | "info" | "debug" | "trace";

/** Data of a log line. Scalars only, so that nothing with a hidden body or key can slip in. */
export type LogFields = Readonly<Record<string, Scalar>>;

/** Constant text plus fields. Sinks format, escape, redact and truncate; callers never do. */
export interface Logger {
  error(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  debug(text: string, fields?: LogFields): void;
  trace(text: string, fields?: LogFields): void;
  /** A logger whose lines name the part they come from. */
  child(part: string): Logger;
}
