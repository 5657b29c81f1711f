import type { LogLevel } from "./logger.ts";

/** Priorities of syslog(3) as the journal reads them at the beginning of a line. Source: sd-daemon(3). */
const PRIORITIES: Readonly<Record<LogLevel, number>> = Object.freeze({
  error: 3,
  warn: 4,
  info: 6,
  debug: 7,
  trace: 7,
});

/** What stands before a line that goes to the journal. */
export function journalPrefix(level: LogLevel): string {
  return `<${PRIORITIES[level]}>`;
}

/**
 * Whether a stream is the one that the service manager connected to the journal. A stream that was redirected elsewhere
 * after the start has another inode, and then gets plain lines.
 * Source: systemd.exec(5), `JOURNAL_STREAM`.
 * @param variable value of `JOURNAL_STREAM`: device and inode in decimal, with a colon between
 */
export function isJournalStream(
  variable: string | undefined,
  stream: { readonly dev: number | bigint; readonly ino: number | bigint },
): boolean {
  return variable !== undefined && variable === `${stream.dev}:${stream.ino}`;
}
