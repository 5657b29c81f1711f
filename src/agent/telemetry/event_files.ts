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
import type { Logger } from "../../runtime/logger.ts";
import { readOwnFile } from "../../runtime/own_file.ts";
import { RateLimit } from "../../runtime/rate_limit.ts";

/** Source: wire-protocol 8.2. */
const GENERIC_NAME = /^\d+\.json$/;
const STATUS_NAME = /^extension_\d+\.json$/;
/** Digits of a time in nanoseconds, for the next thousand years. */
const LONGEST_STAMP = 20;
const TEMPORARY_NAME = "event.tmp";
const PROBE_NAME = "event.probe";
/** As large as many a file of events: a full disk takes an empty one. */
const PROBE = "\0".repeat(65_536);
const FILE_MODE = 0o640;
/** A file that anybody may write to says nothing of us. */
const FORBIDDEN_MODE = 0o002;
/** A file grows up to so many events and bytes; then the next one begins. */
const MOST_EVENTS = 1000;
const MOST_BYTES = 1024 * 1024;
/** A larger file was not written by us; it is not read. */
const MOST_READ_BYTES = 8 * 1024 * 1024;
const TOO_LARGE = `larger than ${MOST_READ_BYTES} bytes`;
/** Source: wire-protocol 8.1. */
const MOST_STATUS_FILES = 1000;
/** Files that are told of one by one; of all others the log has the number. */
const TOLD_LIMITS = { burst: 10, perSecond: 1 / 60 } as const;
/** Files that could not be removed and are remembered, so that they are not sent twice. */
const MOST_SETTLED = 4096;

export interface EventFilesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: string;
  /** Whose files are taken. */
  readonly ownerUid: number;
  /** Most files of generic events, at first. */
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
 * names, forms and owner are taken along; everything else in the folder is left alone. Source: wire-protocol 8.1, 8.2.
 */
export class EventFiles {
  readonly #options: EventFilesOptions;
  #lastStamp = 0n;
  /** The file that still has room. */
  #open: { readonly name: string; readonly count: number; readonly bytes: number } | null = null;
  readonly #settled = new Set<string>();
  /** How many events of a file that could not be written anew need not be sent again. */
  readonly #begun = new Map<string, number>();
  readonly #told = new RateLimit(TOLD_LIMITS);
  #maxFiles: number;
  #waiting = 0;
  #dropped = 0;

  constructor(options: EventFilesOptions) {
    this.#options = options;
    this.#maxFiles = options.maxFiles;
  }

  /** Changes how many files of generic events there may be; surplus ones give way with the next file. */
  setMaxFiles(maxFiles: number): void {
    this.#maxFiles = maxFiles;
  }

  /** Events that gave way, or could not be read, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Files that wait, as far as is known. */
  get waiting(): number {
    return Math.max(0, this.#waiting);
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
    const names = await this.#makeRoom(GENERIC_NAME, this.#maxFiles);
    await this.#writeOpen(`${this.#stamp(names)}.json`, events);
    this.#waiting++;
  }

  /** Keeps a status event. @throws AgentError FILE_WRITE */
  async appendStatus(event: StatusEvent): Promise<void> {
    const names = await this.#makeRoom(STATUS_NAME, MOST_STATUS_FILES);
    await this.#write(`extension_${this.#stamp(names)}.json`, statusFileText(event));
    this.#waiting++;
  }

  /** Whether the folder takes files. @throws AgentError FILE_WRITE when it does not */
  async check(): Promise<void> {
    await this.#write(PROBE_NAME, PROBE);
    await this.#remove(PROBE_NAME);
  }

  /** Names of the files to be sent, oldest first; those of status events behind the others. Never throws. */
  async names(): Promise<string[]> {
    const generic = await this.#list(GENERIC_NAME).catch(() => []);
    const status = await this.#list(STATUS_NAME).catch(() => []);
    const found = [...generic, ...status];
    const names = found.filter((name) => !this.#settled.has(name));
    this.#waiting = names.length;
    for (const name of this.#settled) await this.#remove(name);
    return names;
  }

  /** Reads a file; `null` when it is gone or none of ours. One that cannot be understood is removed and counted. */
  async read(name: string): Promise<EventFile | null> {
    const { folder, ownerUid } = this.#options;
    const limits = { ownerUid, forbiddenMode: FORBIDDEN_MODE, maxBytes: MOST_READ_BYTES };
    let text: string;
    try {
      text = new TextDecoder().decode((await readOwnFile(`${folder}/${name}`, limits)).bytes);
    } catch {
      return await this.#isGiant(name) ? await this.#giveUp(name, TOO_LARGE) : null;
    }
    const read = STATUS_NAME.test(name) ? readStatusFile(text) : readGenericFile(text);
    if (!read.ok) return await this.#giveUp(name, read.error);
    const { events, bad } = read.value;
    return { name, events: events.slice(this.#begun.get(name) ?? 0), lost: bad };
  }

  /** The events of the file were accepted, or must not be tried again. Never throws: a file that stays is not sent again. */
  async settle(file: EventFile): Promise<void> {
    this.#dropped += file.lost;
    if (this.#open?.name === file.name) this.#open = null;
    await this.#remove(file.name);
  }

  /** All but the first `count` events of the file are still to be sent. Never throws: what was sent is remembered at least. */
  async settlePart(file: EventFile, count: number): Promise<void> {
    const rest = file.events.slice(count).filter((event) => event.kind === "generic");
    try {
      if (this.#open?.name === file.name) await this.#writeOpen(file.name, rest);
      else await this.#write(file.name, genericFileText(rest));
      this.#dropped += file.lost;
    } catch {
      this.#begun.set(file.name, (this.#begun.get(file.name) ?? 0) + count);
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
      this.#begun.delete(name);
      return content.length;
    } catch (error) {
      throw new AgentError(
        "FILE_WRITE",
        `keep events in \`${folder}\`: ${describeFileError(error)}`,
      );
    }
  }

  /** Removes the oldest files until one more may be written. Returns the names of all that were there. */
  async #makeRoom(pattern: RegExp, most: number): Promise<readonly string[]> {
    const names = await this.#list(pattern).catch(() => []);
    for (const name of names.slice(0, Math.max(0, names.length - most + 1))) {
      if (this.#settled.has(name)) continue;
      const file = await this.read(name);
      await this.#remove(name);
      this.#settled.delete(name);
      this.#dropped += file === null ? 0 : file.events.length + file.lost;
    }
    return names;
  }

  async #isGiant(name: string): Promise<boolean> {
    const { folder, ownerUid } = this.#options;
    const info = await Deno.lstat(`${folder}/${name}`).catch(() => null);
    return info !== null && info.isFile && info.uid === ownerUid && info.size > MOST_READ_BYTES;
  }

  async #giveUp(name: string, cause: string): Promise<null> {
    const { clock, logger } = this.#options;
    if (this.#told.admit(clock.monotonicMs())) {
      logger.warn("event file cannot be read and is removed", { file: name, cause });
    }
    this.#dropped++;
    await this.#remove(name);
    return null;
  }

  async #remove(name: string): Promise<void> {
    if (!this.#settled.has(name) && name !== PROBE_NAME) this.#waiting--;
    this.#begun.delete(name);
    try {
      await Deno.remove(`${this.#options.folder}/${name}`);
      this.#settled.delete(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) this.#settled.delete(name);
      else if (this.#settled.size < MOST_SETTLED) this.#settled.add(name);
    }
  }

  /** Our files, oldest first: by the number in the name. */
  async #list(pattern: RegExp): Promise<string[]> {
    const { folder, ownerUid } = this.#options;
    const names: string[] = [];
    for await (const entry of Deno.readDir(folder)) {
      if (!entry.isFile || !pattern.test(entry.name)) continue;
      const info = await Deno.lstat(`${folder}/${entry.name}`).catch(() => null);
      if (info?.uid === ownerUid) names.push(entry.name);
    }
    return names.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  }

  /** Nanoseconds since 1970, and more than in any of the names: the order holds when the clock is set back, or a name is taken. */
  #stamp(names: readonly string[]): bigint {
    const now = BigInt(Math.trunc(this.#options.clock.wallMs())) * 1_000_000n;
    const newest = names.reduce((latest, name) => larger(latest, stampOf(name)), this.#lastStamp);
    this.#lastStamp = larger(now, newest + 1n);
    return this.#lastStamp;
  }
}

/** The number in a name; 0 for one that is longer than any time. */
function stampOf(name: string): bigint {
  const digits = /\d+/.exec(name)?.[0] ?? "0";
  return digits.length > LONGEST_STAMP ? 0n : BigInt(digits);
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Whether a name in the event folder is one that this program gives out. */
function isEventFile(name: string): boolean {
  return GENERIC_NAME.test(name) || STATUS_NAME.test(name) || name === TEMPORARY_NAME ||
    name === PROBE_NAME;
}
