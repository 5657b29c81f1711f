import { redact, redactedText } from "../../domain/identity/mod.ts";
import {
  cutToBytes,
  type GenericEvent,
  genericMembers,
  MAX_EVENT_MESSAGE_BYTES,
  MAX_STATUS_MESSAGE_BYTES,
  type StatusEvent,
  statusMembers,
  statusTimestamp,
} from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { LogLevel } from "../../runtime/logger.ts";
import { EventQueue, type Queued } from "./event_queue.ts";

/** Most events in memory. Source: wire-protocol 8.1. */
export const QUEUE_CAPACITY = 1000;
/** Status events come every 15 minutes; that many last a day. */
const STATUS_CAPACITY = 96;
/** So many waiting events are worth a flush before its time. */
const PRESSING = QUEUE_CAPACITY / 2;
const TASK_BYTES = 128;

/** Takes lines for a file; neither waits nor throws. */
export interface LineWriter {
  writeSoon(line: string): void;
}

/** What an event says besides what the recorder knows. */
export interface EventText {
  readonly level: LogLevel;
  /** What was being done. */
  readonly task: string;
  /** Who did it. */
  readonly operation: string;
  readonly message: string;
}

export interface EventRecorderOptions {
  readonly clock: Clock;
  readonly version: string;
  readonly pid: number;
  /** Every event goes there as a line of JSON, with the members that it has in a file; `null` where no log files are kept. */
  readonly lines: LineWriter | null;
  /** Whether events are kept for an upload, at first. */
  readonly forUpload: boolean;
}

/**
 * Where events begin: one call, nothing waited for, nothing thrown. Secrets are taken out before an event is kept anywhere
 * (DEVIATION D-132). What does not fit into the queue gives way, oldest first.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #pid: string;
  readonly #tid: string;
  readonly #generic = new EventQueue<GenericEvent>(QUEUE_CAPACITY);
  readonly #status = new EventQueue<StatusEvent>(STATUS_CAPACITY);
  #onPressing: () => void = () => {};
  #forUpload: boolean;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#forUpload = options.forUpload;
    this.#pid = String(options.pid);
    // The one thread that runs the program has the number of the process.
    this.#tid = this.#pid.padStart(8, "0");
  }

  /** Changes whether events are kept for an upload; those that wait already stay. */
  setForUpload(forUpload: boolean): void {
    this.#forUpload = forUpload;
  }

  /** Events that wait in memory. */
  get waiting(): number {
    return this.#generic.length + this.#status.length;
  }

  /** Events that gave way in memory since the start. */
  get dropped(): number {
    return this.#generic.dropped + this.#status.dropped;
  }

  /** Calls `listener` whenever the queue is half full. */
  onPressing(listener: () => void): void {
    this.#onPressing = listener;
  }

  emit(text: EventText): void {
    const { clock, version, lines } = this.#options;
    const event: GenericEvent = {
      kind: "generic",
      level: text.level.toUpperCase(),
      message: cleanMessage(text.message),
      version,
      task: cutToBytes(text.task, TASK_BYTES),
      operation: cutToBytes(text.operation, TASK_BYTES),
      pid: this.#pid,
      tid: this.#tid,
      timeStamp: statusTimestamp(clock.wallMs()),
    };
    lines?.writeSoon(JSON.stringify(genericMembers(event)));
    if (!this.#forUpload) return;
    this.#generic.push(event);
    if (this.#generic.length >= PRESSING) this.#onPressing();
  }

  /** Notes the program's own state. */
  emitStatus(status: Pick<StatusEvent, "name" | "success" | "message" | "duration">): void {
    const { clock, version, lines } = this.#options;
    const event: StatusEvent = {
      kind: "status",
      name: status.name,
      version,
      isInternal: true,
      extensionType: "Monitoring",
      success: status.success,
      operation: "report_proxy_agent_status",
      task: "loop_status",
      message: cutToBytes(redact(status.message), MAX_STATUS_MESSAGE_BYTES),
      duration: status.duration,
      pid: this.#pid,
      tid: this.#tid,
      timeStamp: statusTimestamp(clock.wallMs()),
    };
    lines?.writeSoon(JSON.stringify(statusMembers(event)));
    if (this.#forUpload) this.#status.push(event);
  }

  /** What waits, oldest first; it stays until it is taken away. */
  genericEvents(): readonly Queued<GenericEvent>[] {
    return this.#generic.peek();
  }

  removeGeneric(upToSeq: number): void {
    this.#generic.removeUpTo(upToSeq);
  }

  statusEvents(): readonly Queued<StatusEvent>[] {
    return this.#status.peek();
  }

  removeStatus(upToSeq: number): void {
    this.#status.removeUpTo(upToSeq);
  }
}

/** Marks that take the place of secrets may make a text longer than it was. */
function cleanMessage(message: string): string {
  return cutToBytes(redactedText(message), MAX_EVENT_MESSAGE_BYTES);
}
