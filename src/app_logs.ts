import { fstatSync } from "node:fs";
import type { QueueReport } from "./agent/control/mod.ts";
import { isLogFolderEntry } from "./agent/status/mod.ts";
import type { RunOptions } from "./commands/run_agent.ts";
import type { Config } from "./config.ts";
import { redact } from "./domain/identity/mod.ts";
import type { Clock } from "./runtime/clock.ts";
import { openPrivateFolder } from "./runtime/files.ts";
import { isJournalStream } from "./runtime/journal.ts";
import { LogHub, LogLevels, type LogOutput, type LogSink } from "./runtime/log_hub.ts";
import { stringifySafe } from "./runtime/log_line.ts";
import { ConsoleSink, FileSink, lossNotice } from "./runtime/log_sinks.ts";
import type { Logger } from "./runtime/logger.ts";
import { RollingFile } from "./runtime/rolling_file.ts";
import { SerialConsole } from "./runtime/serial_console.ts";
import { VERSION } from "./version.ts";

/** The agent's log. Source: agent.md 8.1. */
const LOG_FILE_NAME = "ProxyAgent.log";
/** Source: agent 8.3. */
const SERIAL_CONSOLE = "/dev/console";
/** A terminal or journal that does not read holds up the end no longer than this. */
const TERMINAL_DRAIN_MS = 1_000;
const STDOUT = 1;
const STDERR = 2;

/** The log and its end. */
export interface Logs {
  readonly logger: Logger;
  /** Levels of the outputs `file`, `console` and `events`. */
  readonly levels: LogLevels;
  /** Writes a line for somebody who has nothing but the serial console; does nothing in the foreground. */
  say(text: string): void;
  /** Lines of file and console that wait to be written, and those that were lost since the start. */
  queues(): readonly QueueReport[];
  close(): Promise<void>;
}

/** Opens what the configuration wants: log file, console or journal, serial console. `eventSink` makes events of lines. */
export function openLogs(
  config: Config,
  options: RunOptions,
  clock: Clock,
  eventSink: LogSink,
): Logs {
  const variable = Deno.env.get("JOURNAL_STREAM");
  const terminal = new ConsoleSink(Deno.stdout, Deno.stderr, {
    out: isJournal(variable, STDOUT),
    err: isJournal(variable, STDERR),
  });
  const consoleOutput: LogOutput = { sink: terminal, level: config.fileLogLevelForSystemEvents };
  const file = config.logFolder === null ? null : openLogFile(
    config.logFolder,
    clock,
    (level, message) => {
      // What is wrong with the file can be told here alone.
      if (consoleOutput.level !== null) terminal.write({ wallMs: clock.wallMs(), level, message });
    },
  );
  const fileOutput: LogOutput | null = file === null
    ? null
    : { sink: new FileSink(file), level: config.fileLogLevel };
  const events: LogOutput = { sink: eventSink, level: config.fileLogLevelForEvents };
  const outputs = fileOutput === null
    ? [consoleOutput, events]
    : [consoleOutput, fileOutput, events];
  const logger = new LogHub({ clock, redact, outputs }).logger();
  const serial = new SerialConsole({
    path: SERIAL_CONSOLE,
    tag: `azure-proxy-agent_${VERSION}(${Deno.pid})`,
    clock,
    redact,
    onTrouble: (cause) => logger.error("serial console cannot be written to", { cause }),
  });
  return {
    logger,
    levels: new LogLevels({ file: fileOutput, console: consoleOutput, events }),
    say: (text) => options.foreground ? undefined : serial.say(text),
    queues: () => [
      { queue: "log", waiting: file?.waitingLines ?? 0, dropped: file?.lostLines ?? 0 },
      { queue: "console", waiting: terminal.waitingLines, dropped: terminal.lostLines },
    ],
    close: async () => {
      file?.close();
      await Promise.race([terminal.drain(), clock.sleep(TERMINAL_DRAIN_MS)]);
    },
  };
}

function openLogFile(
  folder: string,
  clock: Clock,
  tell: (level: "error" | "warn", message: string) => void,
): RollingFile {
  closeFolder(folder);
  const file = new RollingFile({
    folder,
    name: LOG_FILE_NAME,
    clock,
    lossNotice: (lost) => lossNotice(clock.wallMs(), lost),
    onTrouble: (cause) => {
      if (cause === null) tell("warn", "log file can be written again");
      else tell("error", `log file cannot be written cause=${stringifySafe(cause)}`);
    },
  });
  file.open();
  return file;
}

/** Closes the log folder to strangers. Where that fails the file says so itself, and is tried again. */
function closeFolder(folder: string): void {
  try {
    openPrivateFolder(folder, isLogFolderEntry);
  } catch {
    // See above.
  }
}

function isJournal(variable: string | undefined, fd: number): boolean {
  if (variable === undefined) return false;
  try {
    return isJournalStream(variable, fstatSync(fd, { bigint: true }));
  } catch {
    // A stream that is closed goes nowhere.
    return false;
  }
}
