import type { Clock } from "../../runtime/clock.ts";
import { describeFileError, openPrivateFolder, replaceFile } from "../../runtime/files.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import type { AggregateStatus } from "./aggregate_status.ts";

/** The file's name is a contract, and so is that of its transient sibling. Source: agent 3.1, 4.1. */
export const STATUS_FILE_NAME = "status.json";
const TEMPORARY_NAME = "status.tmp";
const FILE_MODE = 0o640;

/** How old the file may get. Source: agent 4.1. */
const WRITE_EVERY_MS = 60_000;
/** How soon a change shows, and how soon a failed write is tried again. */
const LOOK_EVERY_MS = 1_000;
const RETRY_AFTER_MS = 5_000;
/** A wall clock that is set by more than this makes the time in the document wrong, and the document is written anew. */
const CLOCK_SET_MS = 5_000;

export interface StatusWriterOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: string;
  readonly status: Pick<AggregateStatus, "document" | "signature">;
  /** Whether a file of this name in the folder belongs to the program. */
  readonly isOurs: (name: string) => boolean;
}

/**
 * Keeps `status.json` fresh: at once after the start, every minute, and within a second of a change, also of the clock. A
 * write that fails is tried again; the last complete file stays in place meanwhile.
 */
export class StatusWriter implements Part {
  readonly name = "status";
  readonly #options: StatusWriterOptions;
  readonly #path: string;
  #failing = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#path = `${options.folder}/${STATUS_FILE_NAME}`;
  }

  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { clock, status } = this.#options;
    health.report("RUNNING", "STATUS_STARTED", "Proxy agent status is running.");
    while (!signal.aborted) {
      const shown = status.signature();
      const offsetMs = clock.wallMs() - clock.monotonicMs();
      const dueMs = clock.monotonicMs() +
        (await this.#write(health) ? WRITE_EVERY_MS : RETRY_AFTER_MS);
      while (!signal.aborted && clock.monotonicMs() < dueMs) {
        await clock.sleep(LOOK_EVERY_MS, signal);
        const setByMs = Math.abs(clock.wallMs() - clock.monotonicMs() - offsetMs);
        const isStale = status.signature() !== shown || setByMs > CLOCK_SET_MS;
        if (!this.#failing && isStale) break;
      }
    }
  }

  async #write(health: HealthReporter): Promise<boolean> {
    const { folder, isOurs, logger, status } = this.#options;
    try {
      openPrivateFolder(folder, isOurs);
      const content = new TextEncoder().encode(status.document("pretty"));
      await replaceFile(this.#path, `${folder}/${TEMPORARY_NAME}`, content, FILE_MODE);
    } catch (error) {
      const cause = describeFileError(error);
      const message = `Error writing aggregate status to status file: ${cause}`;
      health.report("STOPPED", "STATUS_WRITE", message);
      if (!this.#failing) {
        logger.error("status file cannot be written", { path: this.#path, cause });
      }
      this.#failing = true;
      return false;
    }
    const message = `Aggregate status written to status file: ${this.#path}`;
    health.report("RUNNING", "STATUS_WRITTEN", message);
    if (this.#failing) logger.warn("status file can be written again", { path: this.#path });
    this.#failing = false;
    return true;
  }
}
