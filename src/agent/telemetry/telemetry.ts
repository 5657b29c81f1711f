import { Backoff } from "../../runtime/backoff.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import type { EventFiles } from "./event_files.ts";
import type { Queued } from "./event_queue.ts";
import type { EventRecorder } from "./recorder.ts";
import type { Chunk, Uploader } from "./uploader.ts";

/** Uploads begin after this at the latest, whatever is missing. Source: agent 6.5. */
const START_AFTER_MS = 60_000;
/** Source: wire-protocol 8.8. */
const STATUS_EVERY_MS = 900_000;
/** A crowd of events is brought to the disk early, but not more often than this. */
const PRESSED_EVERY_MS = 5_000;
const FIRST_RETRY_MS = 15_000;
/** The longest wait between attempts, in intervals. */
const LONGEST_RETRY = 5;

/** What can be changed while it runs. */
export interface TelemetrySettings {
  /** Whether events are sent to the host. */
  readonly upload: boolean;
  /** Most files of events that wait on disk until they are accepted; 0: none are kept there. */
  readonly maxFiles: number;
  /** How often events are brought to the disk and sent, milliseconds. */
  readonly intervalMs: number;
}

export interface TelemetryOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  readonly recorder: EventRecorder;
  readonly files: EventFiles;
  readonly uploader: Uploader;
  /** What holds at first; see `change`. */
  readonly settings: TelemetrySettings;
  readonly isProvisioned: () => boolean;
  /** The name of the service, and what it says of its state. */
  readonly service: string;
  readonly status: () => { readonly success: boolean; readonly message: string };
}

/** Figures of telemetry since the start; the first two are of the moment. */
export interface TelemetryCounts {
  readonly waitingInMemory: number;
  readonly filesWaiting: number;
  readonly droppedInMemory: number;
  readonly droppedOnDisk: number;
  readonly accepted: number;
  readonly refused: number;
  readonly uploads: number;
  readonly failures: number;
}

/**
 * Brings events to the disk once a minute and from there to the host. Attempts that fail are repeated for ever, ever more
 * seldom; meanwhile the disk fills up to its limit, and then the oldest events give way. Where the disk takes nothing, events
 * are sent from memory. Source: wire-protocol 8.1, 8.7, agent 11.
 */
export class Telemetry implements Part {
  readonly name = "telemetry";
  readonly #options: TelemetryOptions;
  readonly #logger: Logger;
  #settings: TelemetrySettings;
  /** Fires when there are other settings. */
  #changed = new AbortController();
  #diskTrouble: AgentError | null = null;
  #hostTrouble: AgentError | null = null;
  #hasTried = false;
  #toldDropped = 0;

  constructor(options: TelemetryOptions) {
    this.#options = options;
    this.#logger = options.logger.child(this.name);
    this.#settings = options.settings;
  }

  /** Takes other settings: what waits in memory is brought to the disk by the old ones, and the loop begins anew. */
  change(settings: TelemetrySettings): void {
    this.#settings = settings;
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  get counts(): TelemetryCounts {
    const { recorder, files, uploader } = this.#options;
    return {
      waitingInMemory: recorder.waiting,
      filesWaiting: files.waiting,
      droppedInMemory: recorder.dropped,
      droppedOnDisk: files.dropped,
      ...uploader.counts,
    };
  }

  /** The two queues: events in memory, and files of them. What was dropped are events in both. */
  get queues() {
    const { waitingInMemory, filesWaiting, droppedInMemory, droppedOnDisk, refused } = this.counts;
    return [
      { queue: "telemetry", waiting: waitingInMemory, dropped: droppedInMemory + refused },
      { queue: "telemetry_files", waiting: filesWaiting, dropped: droppedOnDisk },
    ];
  }

  /** Events that were let go of without having been accepted, since the start. */
  get dropped(): number {
    const { droppedInMemory, droppedOnDisk, refused } = this.counts;
    return droppedInMemory + droppedOnDisk + refused;
  }

  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { recorder, files } = this.#options;
    while (!signal.aborted) {
      const settings = this.#settings;
      recorder.setForUpload(settings.upload);
      files.setMaxFiles(settings.maxFiles);
      this.#report(health);
      await this.#loop(settings, AbortSignal.any([signal, this.#changed.signal]), health);
      if (settings.upload) await this.#flush(settings.maxFiles > 0, health);
    }
    health.report("STOPPED", "TELEMETRY_STOPPED", "Telemetry is stopped.");
  }

  async #loop(
    settings: TelemetrySettings,
    signal: AbortSignal,
    health: HealthReporter,
  ): Promise<void> {
    const { clock, isProvisioned, random, recorder } = this.#options;
    const { intervalMs, upload } = settings;
    const firstMs = Math.min(FIRST_RETRY_MS, intervalMs);
    const capMs = intervalMs * LONGEST_RETRY;
    const backoff = new Backoff({ firstMs, capMs, jitter: 0.2 }, random);
    const startedMs = clock.monotonicMs();
    let flushMs = upload ? startedMs + intervalMs : Infinity;
    let uploadMs = flushMs;
    let statusMs = startedMs + STATUS_EVERY_MS;
    let toldMs = startedMs;
    let pressedMs = -Infinity;
    let wake = new AbortController();
    recorder.onPressing(() => wake.abort());
    const isPressed = (nowMs: number) =>
      wake.signal.aborted && nowMs - pressedMs >= PRESSED_EVERY_MS;
    const isFlushDue = (nowMs: number) => nowMs >= flushMs || isPressed(nowMs);
    while (!signal.aborted) {
      const nowMs = clock.monotonicMs();
      if (nowMs >= statusMs) {
        this.#emitStatus(nowMs - toldMs);
        toldMs = nowMs;
        statusMs = nowMs + STATUS_EVERY_MS;
      }
      if (isFlushDue(nowMs)) {
        if (isPressed(nowMs)) pressedMs = nowMs;
        else flushMs = nowMs + intervalMs;
        wake = new AbortController();
        await this.#flush(settings.maxFiles > 0, health);
      }
      if (nowMs >= uploadMs) {
        const mayStart = isProvisioned() || nowMs - startedMs > START_AFTER_MS;
        const mayGoOn = () => !isFlushDue(clock.monotonicMs());
        uploadMs = mayStart
          ? await this.#upload(signal, health, backoff, flushMs, mayGoOn)
          : flushMs;
      }
      await this.#waitUntil(Math.min(flushMs, uploadMs, statusMs), pressedMs, wake.signal, signal);
    }
  }

  /** Waits until a time, or until there is a crowd of events, whatever comes first. */
  async #waitUntil(
    dueMs: number,
    pressedMs: number,
    pressing: AbortSignal,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#options;
    const waitMs = dueMs - clock.monotonicMs();
    if (!pressing.aborted) return await clock.sleep(waitMs, AbortSignal.any([signal, pressing]));
    const pressedWaitMs = pressedMs + PRESSED_EVERY_MS - clock.monotonicMs();
    await clock.sleep(Math.min(waitMs, pressedWaitMs), signal);
  }

  #emitStatus(duration: number): void {
    const { recorder, service, status } = this.#options;
    recorder.emitStatus({ name: service, duration: Math.round(duration), ...status() });
  }

  /** Brings what waits in memory to the disk. */
  async #flush(keepsFiles: boolean, health: HealthReporter): Promise<void> {
    const { recorder, files } = this.#options;
    this.#tellDropped();
    if (!keepsFiles) return;
    try {
      const generic = recorder.genericEvents();
      const last = generic.at(-1);
      if (last !== undefined) {
        await files.append(generic.map(({ event }) => event));
        recorder.removeGeneric(last.seq);
      }
      const status = recorder.statusEvents();
      for (const { seq, event } of status) {
        await files.appendStatus(event);
        recorder.removeStatus(seq);
      }
      const isIdle = last === undefined && status.length === 0;
      if (isIdle && this.#diskTrouble !== null) await files.check();
      if (this.#diskTrouble !== null) this.#logger.warn("telemetry can be kept on disk again");
      this.#diskTrouble = null;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (this.#diskTrouble === null) {
        this.#logger.error("telemetry cannot be kept on disk", { cause: error.message });
      }
      this.#diskTrouble = error;
    }
    this.#report(health);
  }

  /**
   * Sends what waits on disk and in memory, as long as it may: a slow host must not keep events from the disk. Returns when
   * to try next, monotonic milliseconds.
   */
  async #upload(
    signal: AbortSignal,
    health: HealthReporter,
    backoff: Backoff,
    nextMs: number,
    mayGoOn: () => boolean,
  ): Promise<number> {
    const { clock, uploader } = this.#options;
    const outcome = await uploader.send(this.#chunks(), signal, mayGoOn);
    if (signal.aborted) return nextMs;
    this.#hasTried = true;
    const before = this.#hostTrouble;
    this.#hostTrouble = outcome instanceof AgentError ? outcome : null;
    this.#report(health);
    if (outcome instanceof AgentError) {
      if (before === null) {
        const { code, message } = outcome;
        this.#logger.warn("telemetry is not accepted", { code, cause: message });
      }
      const pauseMs = outcome.detail["retryAfterMs"];
      const askedMs = typeof pauseMs === "number" ? pauseMs : 0;
      return clock.monotonicMs() + Math.max(backoff.next(), askedMs);
    }
    if (before !== null) this.#logger.info("telemetry is accepted again");
    backoff.reset();
    return outcome === "paused" ? clock.monotonicMs() : nextMs;
  }

  async *#chunks(): AsyncGenerator<Chunk> {
    const { files, recorder } = this.#options;
    for (const name of await files.names()) {
      const file = await files.read(name);
      if (file === null) continue;
      yield {
        events: file.events,
        settle: (count) =>
          count >= file.events.length ? files.settle(file) : files.settlePart(file, count),
      };
    }
    yield* memoryChunk(recorder.genericEvents(), (seq) => recorder.removeGeneric(seq));
    yield* memoryChunk(recorder.statusEvents(), (seq) => recorder.removeStatus(seq));
  }

  #tellDropped(): void {
    const total = this.dropped;
    if (total === this.#toldDropped) return;
    const dropped = total - this.#toldDropped;
    this.#toldDropped = total;
    const { droppedInMemory: inMemory, droppedOnDisk: onDisk, refused } = this.counts;
    this.#logger.warn("telemetry events were dropped", {
      dropped,
      total,
      inMemory,
      onDisk,
      refused,
    });
  }

  /** DEVIATION D-137: the truth about telemetry, in the words of the status document. */
  #report(health: HealthReporter): void {
    const trouble = this.#diskTrouble ?? this.#hostTrouble;
    if (!this.#settings.upload) {
      health.report("RUNNING", "TELEMETRY_LOCAL", "Telemetry stays on this machine.");
    } else if (trouble !== null) {
      const what = trouble === this.#diskTrouble ? "kept on disk" : "accepted by the host";
      health.report("STOPPED", trouble.code, `Telemetry is not ${what}: ${trouble.message}`);
    } else if (this.#hasTried) {
      health.report("RUNNING", "TELEMETRY_RUNNING", "Telemetry is kept and uploaded.");
    } else {
      health.report("UNKNOWN", "TELEMETRY_WAITING", "Telemetry is kept and not uploaded yet.");
    }
  }
}

function* memoryChunk<T extends Chunk["events"][number]>(
  waiting: readonly Queued<T>[],
  remove: (upToSeq: number) => void,
): Generator<Chunk> {
  if (waiting.length === 0) return;
  yield {
    events: waiting.map(({ event }) => event),
    settle(count) {
      const last = waiting[count - 1];
      if (last !== undefined) remove(last.seq);
      return Promise.resolve();
    },
  };
}
