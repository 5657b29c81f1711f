import {
  type GenericEvent,
  genericFileText,
  readGenericFile,
  readStatusFile,
  type StatusEvent,
  statusFileText,
  type TelemetryEvent,
} from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import { describeFileError, openPrivateFolder, replaceFile } from "../../runtime/files.ts";

/** Source: wire-protocol 8.2. */
const GENERIC_NAME = /^\d{1,20}\.json$/;
const STATUS_NAME = /^extension_\d{1,20}\.json$/;
const TEMPORARY_NAME = "event.tmp";
const PROBE_NAME = "event.probe";
const FILE_MODE = 0o640;
/** A file grows up to so many events and bytes; then the next one begins. */
const MOST_EVENTS = 1000;
const MOST_BYTES = 1024 * 1024;
/** A larger file was not written by us; it is not read. */
const MOST_READ_BYTES = 8 * 1024 * 1024;
/** Source: wire-protocol 8.1. */
const MOST_STATUS_FILES = 1000;
/** Files that could not be removed and are remembered, so that they are not sent twice. */
const MOST_SETTLED = 4096;

export interface EventFilesOptions {
  readonly clock: Clock;
  readonly folder: string;
  /** Most files of generic events; 0: none are kept on disk. */
  readonly maxFiles: number;
}

/** A file with its events. `lost` entries of it are no events. */
export interface EventFile {
  readonly name: string;
  readonly events: readonly TelemetryEvent[];
  readonly lost: number;
}

/**
 * The queue on disk. Bounded: the oldest file gives way, and its events are counted. Files of other programs with the same
 * names and forms are taken along; everything else in the folder is left alone. Source: wire-protocol 8.1, 8.2.
 */
export class EventFiles {
  readonly #options: EventFilesOptions;
  #lastStamp = 0n;
  /** The file that still has room. */
  #open: { readonly name: string; readonly count: number; readonly bytes: number } | null = null;
  readonly #settled = new Set<string>();
  #dropped = 0;

  constructor(options: EventFilesOptions) {
    this.#options = options;
  }

  /** Events that gave way, or could not be read, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Keeps generic events, in their order. @throws AgentError FILE_WRITE; none of them is kept then */
  async append(events: readonly GenericEvent[]): Promise<void> {
    const open = this.#open;
    const text = genericFileText(events);
    const fits = open !== null && open.count + events.length <= MOST_EVENTS &&
      open.bytes + text.length * 3 <= MOST_BYTES;
    const before = fits ? await this.#eventsOf(open.name) : null;
    if (fits && before !== null) {
      const all = [...before, ...events];
      return await this.#writeOpen(open.name, all);
    }
    await this.#makeRoom(GENERIC_NAME, this.#options.maxFiles);
    await this.#writeOpen(`${this.#stamp()}.json`, events);
  }

  /** Keeps a status event. @throws AgentError FILE_WRITE */
  async appendStatus(event: StatusEvent): Promise<void> {
    await this.#makeRoom(STATUS_NAME, MOST_STATUS_FILES);
    await this.#write(`extension_${this.#stamp()}.json`, statusFileText(event));
  }

  /** Whether the folder takes files. @throws AgentError FILE_WRITE when it does not */
  async check(): Promise<void> {
    await this.#write(PROBE_NAME, "");
    await this.#remove(PROBE_NAME);
  }

  /** Names of the files to be sent, oldest first; those of status events behind the others. Never throws. */
  async names(): Promise<string[]> {
    const generic = await this.#list(GENERIC_NAME).catch(() => []);
    const status = await this.#list(STATUS_NAME).catch(() => []);
    const found = [...generic, ...status];
    const names = found.filter((name) => !this.#settled.has(name));
    for (const name of this.#settled) await this.#remove(name);
    return names;
  }

  /** Reads a file; `null` when it is gone or no regular file. One that cannot be understood is removed and counted. */
  async read(name: string): Promise<EventFile | null> {
    const path = `${this.#options.folder}/${name}`;
    let text: string;
    try {
      const info = await Deno.lstat(path);
      if (!info.isFile) return null;
      if (info.size > MOST_READ_BYTES) return await this.#giveUp(name);
      text = await Deno.readTextFile(path);
    } catch {
      return null;
    }
    const read = STATUS_NAME.test(name) ? readStatusFile(text) : readGenericFile(text);
    if (!read.ok) return await this.#giveUp(name);
    const { events, bad } = read.value;
    return { name, events, lost: bad };
  }

  /** The events of the file were accepted, or must not be tried again. Never throws: a file that stays is not sent again. */
  async settle(file: EventFile): Promise<void> {
    this.#dropped += file.lost;
    if (this.#open?.name === file.name) this.#open = null;
    await this.#remove(file.name);
  }

  /** All but the first `count` events of the file are still to be sent. Never throws: at worst some are sent again. */
  async settlePart(file: EventFile, count: number): Promise<void> {
    if (STATUS_NAME.test(file.name)) return;
    const rest = file.events.slice(count).filter((event) => event.kind === "generic");
    try {
      if (this.#open?.name === file.name) await this.#writeOpen(file.name, rest);
      else await this.#write(file.name, genericFileText(rest));
      this.#dropped += file.lost;
    } catch {
      // See above.
    }
  }

  /** `null` when they cannot be had, or the file has more than this program wrote. */
  async #eventsOf(name: string): Promise<readonly GenericEvent[] | null> {
    const file = await this.read(name);
    if (file === null || file.lost > 0) return null;
    return file.events.filter((event) => event.kind === "generic");
  }

  async #writeOpen(name: string, events: readonly GenericEvent[]): Promise<void> {
    const bytes = await this.#write(name, genericFileText(events));
    this.#open = { name, count: events.length, bytes };
  }

  async #write(name: string, text: string): Promise<number> {
    const { folder } = this.#options;
    try {
      openPrivateFolder(folder, isEventFile);
      const content = new TextEncoder().encode(text);
      await replaceFile(`${folder}/${name}`, `${folder}/${TEMPORARY_NAME}`, content, FILE_MODE);
      return content.length;
    } catch (error) {
      throw new AgentError(
        "FILE_WRITE",
        `keep events in \`${folder}\`: ${describeFileError(error)}`,
      );
    }
  }

  /** Removes the oldest files until one more may be written. */
  async #makeRoom(pattern: RegExp, most: number): Promise<void> {
    const names = await this.#list(pattern).catch(() => []);
    for (const name of names.slice(0, Math.max(0, names.length - most + 1))) {
      if (this.#settled.has(name)) continue;
      const file = await this.read(name);
      await this.#remove(name);
      this.#settled.delete(name);
      this.#dropped += file === null ? 0 : file.events.length + file.lost;
    }
  }

  async #giveUp(name: string): Promise<null> {
    this.#dropped++;
    await this.#remove(name);
    return null;
  }

  async #remove(name: string): Promise<void> {
    try {
      await Deno.remove(`${this.#options.folder}/${name}`);
      this.#settled.delete(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) this.#settled.delete(name);
      else if (this.#settled.size < MOST_SETTLED) this.#settled.add(name);
    }
  }

  /** Oldest first: by the number in the name. */
  async #list(pattern: RegExp): Promise<string[]> {
    const names: string[] = [];
    for await (const entry of Deno.readDir(this.#options.folder)) {
      if (entry.isFile && pattern.test(entry.name)) names.push(entry.name);
    }
    return names.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  }

  /** Nanoseconds since 1970; larger each time. */
  #stamp(): bigint {
    const now = BigInt(Math.trunc(this.#options.clock.wallMs())) * 1_000_000n;
    this.#lastStamp = now > this.#lastStamp ? now : this.#lastStamp + 1n;
    return this.#lastStamp;
  }
}

/** Whether a name in the event folder is one that this program gives out. */
function isEventFile(name: string): boolean {
  return GENERIC_NAME.test(name) || STATUS_NAME.test(name) || name === TEMPORARY_NAME ||
    name === PROBE_NAME;
}
