import { err, ok, type Result } from "../../runtime/result.ts";
import { cutToBytes } from "./text_cut.ts";

/** Something that happened. Source: wire-protocol 8.2. */
export interface GenericEvent {
  readonly kind: "generic";
  /** `ERROR` to `TRACE`; events of other programs have words of their own. */
  readonly level: string;
  readonly message: string;
  readonly version: string;
  /** What was being done. */
  readonly task: string;
  /** Who did it. */
  readonly operation: string;
  /** Decimal. */
  readonly pid: string;
  /** Decimal, at least eight digits. */
  readonly tid: string;
  /** UTC, `YYYY-MM-DDTHH:MM:SS.mmm`. */
  readonly timeStamp: string;
}

/** What a program says of its own state, now and then. Source: wire-protocol 8.2. */
export interface StatusEvent {
  readonly kind: "status";
  readonly name: string;
  readonly version: string;
  readonly isInternal: boolean;
  readonly extensionType: string;
  readonly success: boolean;
  readonly operation: string;
  readonly task: string;
  readonly message: string;
  /** Milliseconds since the last such event. */
  readonly duration: number;
  readonly pid: string;
  readonly tid: string;
  readonly timeStamp: string;
}

export type TelemetryEvent = GenericEvent | StatusEvent;

/** Most bytes of a generic event's message. Source: wire-protocol 8.2. */
export const MAX_EVENT_MESSAGE_BYTES = 4096;
/** Most bytes of a status event's message: a JSON document, of no use when it is cut, with room for every module's longest. */
export const MAX_STATUS_MESSAGE_BYTES = 16_384;
/** Most bytes of the other texts, which are names and numbers. */
const MAX_NAME_BYTES = 256;

/** The members of a generic event in a file, in the order that other programs write and expect. */
export function genericMembers(event: GenericEvent): Readonly<Record<string, string>> {
  return {
    EventLevel: event.level,
    Message: event.message,
    Version: event.version,
    TaskName: event.task,
    EventPid: event.pid,
    EventTid: event.tid,
    OperationId: event.operation,
    TimeStamp: event.timeStamp,
  };
}

/** The text of a file of generic events. */
export function genericFileText(events: readonly GenericEvent[]): string {
  return JSON.stringify(events.map(genericMembers), null, 2);
}

/** The members of a status event in a file, in the order that other programs write and expect. */
export function statusMembers(event: StatusEvent) {
  return {
    extension: {
      name: event.name,
      version: event.version,
      is_internal: event.isInternal,
      extension_type: event.extensionType,
    },
    operation_status: {
      operation_success: event.success,
      operation: event.operation,
      task_name: event.task,
      message: event.message,
      duration: event.duration,
    },
    event_pid: event.pid,
    event_tid: event.tid,
    time_stamp: event.timeStamp,
  };
}

/** The text of a file with one status event. */
export function statusFileText(event: StatusEvent): string {
  return JSON.stringify(statusMembers(event), null, 2);
}

/** The events of a file, and how many of its entries are none. */
export interface ReadEvents {
  readonly events: readonly TelemetryEvent[];
  readonly bad: number;
}

/** Reads a file of generic events, which another program may have written. Texts are cut to size. */
export function readGenericFile(text: string): Result<ReadEvents, string> {
  const list = parsed(text);
  if (!Array.isArray(list)) return err("no list of events");
  const events: TelemetryEvent[] = [];
  for (const item of list) {
    const event = genericOf(item);
    if (event !== null) events.push(event);
  }
  return ok({ events, bad: list.length - events.length });
}

/** Reads a file with one status event. */
export function readStatusFile(text: string): Result<ReadEvents, string> {
  const event = statusOf(parsed(text));
  return event === null ? err("no status event") : ok({ events: [event], bad: 0 });
}

/**
 * `undefined` for what is no JSON. Read the quick way: a file may have a megabyte, callers wait meanwhile, and nothing is
 * decided by what an event says.
 */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}

function genericOf(item: unknown): GenericEvent | null {
  const members = new Members(item);
  const event: GenericEvent = {
    kind: "generic",
    level: members.name("EventLevel"),
    message: members.message("Message"),
    version: members.name("Version"),
    task: members.name("TaskName"),
    pid: members.name("EventPid"),
    tid: members.name("EventTid"),
    operation: members.name("OperationId"),
    timeStamp: members.name("TimeStamp"),
  };
  return members.complete ? event : null;
}

function statusOf(item: unknown): StatusEvent | null {
  const outer = new Members(item);
  const extension = outer.inner("extension");
  const status = outer.inner("operation_status");
  const event: StatusEvent = {
    kind: "status",
    name: extension.name("name"),
    version: extension.name("version"),
    isInternal: extension.flag("is_internal"),
    extensionType: extension.name("extension_type"),
    success: status.flag("operation_success"),
    operation: status.name("operation"),
    task: status.name("task_name"),
    message: status.document("message"),
    duration: status.duration("duration"),
    pid: outer.name("event_pid"),
    tid: outer.name("event_tid"),
    timeStamp: outer.name("time_stamp"),
  };
  return outer.complete && extension.complete && status.complete ? event : null;
}

/** Takes members out of an object and remembers whether one was missing or wrong. */
class Members {
  complete: boolean;
  readonly #members: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    this.complete = typeof value === "object" && value !== null;
    this.#members = { ...value as object };
  }

  inner(name: string): Members {
    return new Members(this.#get(name));
  }

  name(name: string): string {
    return cutToBytes(this.#take(name, isText, ""), MAX_NAME_BYTES);
  }

  message(name: string): string {
    return cutToBytes(this.#take(name, isText, ""), MAX_EVENT_MESSAGE_BYTES);
  }

  document(name: string): string {
    return cutToBytes(this.#take(name, isText, ""), MAX_STATUS_MESSAGE_BYTES);
  }

  flag(name: string): boolean {
    return this.#take(name, (value) => typeof value === "boolean", false);
  }

  /** Never negative: a clock that was set back must not become an age of the universe. Source: wire-protocol S-31. */
  duration(name: string): number {
    const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);
    return Math.max(0, this.#take(name, isWhole, 0));
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
  }

  #take<T>(name: string, is: (value: unknown) => value is T, otherwise: T): T {
    const value = this.#get(name);
    if (is(value)) return value;
    this.complete = false;
    return otherwise;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
