import { redact } from "../../domain/identity/mod.ts";
import { type TelemetryEvent, vmParameters } from "../../domain/wire/mod.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { HostChannel } from "../host/mod.ts";
import { Batch } from "./batch.ts";
import type { VmFactsSource } from "./vm_facts.ts";

/** Statuses that speak of the upload itself, not of the moment. */
const REFUSING = new Set([400, 413, 415, 422]);
/** An event that the host refuses for what it is gets at least so many attempts. Source: wire-protocol 8.7. */
const ATTEMPTS = 5;

/** Events that wait somewhere, oldest first. */
export interface Chunk {
  readonly events: readonly TelemetryEvent[];
  /** The first `count` events need not be sent again. Called at most once, and with 0 only where there are none. */
  settle(count: number): Promise<void>;
}

/** How an upload of everything that waits ended; `paused`: some is left, because something else was due. */
export type UploadOutcome = "sent" | "nothing" | "paused" | AgentError;

export interface UploaderOptions {
  readonly host: Pick<HostChannel, "sendTelemetry">;
  readonly facts: Pick<VmFactsSource, "get">;
}

/** One chunk while its events are packed. */
interface Progress {
  readonly chunk: Chunk;
  /** How many of its events are in uploads, sent or not. */
  packed: number;
  /** How many of them need not be sent again. */
  done: number;
  /** Events too large for any upload, since `done` was last brought up to date. */
  oversized: number;
}

/**
 * Sends what waits, one upload after the other, in order. INVARIANT: an event is let go of only after the host accepted it,
 * with two exceptions that are counted: one too large for any upload, and one that the host refused for what it is, alone and
 * at least five times in all (DEVIATION D-131). Everything else is kept and tried again. Source: wire-protocol 8.6, 8.7.
 */
export class Uploader {
  readonly #options: UploaderOptions;
  #accepted = 0;
  #refused = 0;
  #uploads = 0;
  #failures = 0;
  /** Refusals since the last event that turned out to be no reason for one. */
  #attempts = 0;
  /** So many of the events that are sent next, one of them at least is refused; 0: none is known to be. */
  #suspects = 0;

  constructor(options: UploaderOptions) {
    this.#options = options;
  }

  /** Events that the host accepted, events that were given up, uploads that were accepted and attempts that failed. */
  get counts() {
    return {
      accepted: this.#accepted,
      refused: this.#refused,
      uploads: this.#uploads,
      failures: this.#failures,
    };
  }

  /** Sends the chunks until all are sent, an attempt fails or it may not go on. Throws what is no failure of the host. */
  async send(
    chunks: AsyncIterable<Chunk>,
    signal: AbortSignal,
    mayGoOn: () => boolean = () => true,
  ): Promise<UploadOutcome> {
    const open: Progress[] = [];
    let outcome: UploadOutcome = "nothing";
    try {
      let vm: string | null = null;
      let batch: Batch | null = null;
      for await (const chunk of chunks) {
        outcome = "sent";
        vm ??= vmParameters(await this.#options.facts.get(signal));
        const progress: Progress = { chunk, packed: 0, done: 0, oversized: 0 };
        open.push(progress);
        for (const event of chunk.events) {
          batch ??= new Batch(vm, redact);
          let added = batch.count < this.#most ? batch.add(event) : "full";
          if (added === "full") {
            await this.#sendBatch(batch, open, signal);
            if (!mayGoOn()) return "paused";
            batch = new Batch(vm, redact);
            added = batch.add(event);
          }
          if (added === "too-large") progress.oversized++;
          progress.packed++;
        }
      }
      if (batch !== null && batch.count > 0) await this.#sendBatch(batch, open, signal);
      else this.#advance(open);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#failures++;
      outcome = error;
    } finally {
      for (const { chunk, done } of open) {
        if (done > 0 || chunk.events.length === 0) await chunk.settle(done);
      }
    }
    return outcome;
  }

  /** Most events of the next upload: where one of several is refused, half of them are tried. */
  get #most(): number {
    return this.#suspects === 0 ? Infinity : Math.max(1, Math.floor(this.#suspects / 2));
  }

  async #sendBatch(batch: Batch, open: Progress[], signal: AbortSignal): Promise<void> {
    try {
      await this.#options.host.sendTelemetry(batch.document(), signal);
      this.#accepted += batch.count;
      this.#uploads++;
      this.#suspects = Math.max(0, this.#suspects - batch.count);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#attempts++;
      this.#suspects = batch.count;
      if (batch.count > 1 || this.#attempts < ATTEMPTS) throw error;
      this.#refused++;
      this.#suspects = 0;
    }
    if (this.#suspects === 0) this.#attempts = 0;
    this.#advance(open);
    // What is sent as a whole is let go of at once, so that little is sent twice after a sudden end.
    for (let first = open[0]; first !== undefined; first = open[0]) {
      if (first.done < first.chunk.events.length) return;
      open.shift();
      await first.chunk.settle(first.done);
    }
  }

  #advance(open: readonly Progress[]): void {
    for (const progress of open) {
      progress.done = progress.packed;
      this.#refused += progress.oversized;
      progress.oversized = 0;
    }
  }
}

/** Whether the host said that it does not want the upload for what it is. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof AgentError)) return false;
  const status = error.detail["status"];
  return typeof status === "number" && REFUSING.has(status);
}
