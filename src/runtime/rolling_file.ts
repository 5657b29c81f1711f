import type { Clock } from "./clock.ts";
import { createPrivateFolder, describeFileError } from "./files.ts";
import { formatFileStamp } from "./log_line.ts";

/** Mode of log files: root writes, root's group reads. */
const FILE_MODE = 0o640;
/** Lines that may wait are gathered up to this size. */
const BUFFER_BYTES = 64 * 1024;
/** Lines that may wait are written after this time. */
const FLUSH_AFTER_MS = 200;
/** How often the file is looked at (moved away? removed?), and how soon after a failure it is tried again. */
const CHECK_EVERY_MS = 1000;
/** A line is cut to this many UTF-16 units. */
const LONGEST_LINE = 128 * 1024;
/** Most files put aside whose bringing to the disk is remembered. */
const MOST_ASIDE = 16;
const LINE_FEED = 0x0a;

/** Most bytes that a seal adds to a line. */
export const SEAL_ROOM_BYTES = 256;

/**
 * Takes part in the writing of a file whose lines depend on each other. It sees each line at the moment it is written, in the
 * order of the file. Nobody else who asks for the lock of a sealed file gets it.
 */
export interface LineSeal {
  /** The file was opened for appending and read; it is `sizeBytes` long. Returns the lines that must be written next. */
  opened(file: Deno.FsFile, sizeBytes: number): readonly string[];
  /**
   * Puts the line, as it shall stand in the file, and its line feed into `bytes`, which has room for three bytes for each
   * UTF-16 unit and `SEAL_ROOM_BYTES` more. Returns how many bytes it took.
   */
  encode(line: string, bytes: Uint8Array): number;
  /** Of the lines encoded since the last call the first `count` stand in the file as a whole, the others do not. */
  settled(count: number): void;
  /** The file is about to be deleted to make room. */
  removing(path: string): void;
}

/** Lines that could not be written. */
export interface LostLines {
  readonly count: number;
  readonly sinceWallMs: number;
  /** The system's code and words. */
  readonly cause: string;
}

export interface RollingFileOptions {
  readonly folder: string;
  readonly name: string;
  readonly clock: Clock;
  /** A file of this size or more is put aside before the next write; 10 MiB. */
  readonly maxBytes?: number;
  /** How many files there may be, the current one included; 5. */
  readonly maxFiles?: number;
  /** The line that stands in the file once it can be written again. */
  readonly lossNotice: (lost: LostLines) => string;
  /** Hears once when writing begins to fail (with the cause), and once when it works again (with `null`). */
  readonly onTrouble?: (cause: string | null) => void;
  /** Plain lines without one. */
  readonly seal?: LineSeal;
}

/**
 * A file of lines that is put aside when it is full, with a fixed number of old ones kept. One descriptor, small
 * synchronous writes into the page cache. It never throws and survives a full disk, lost rights and a folder that
 * vanished: lines are then counted, and the count is written when the file works again.
 *
 * Only files that carry exactly the names it gives out are ever deleted. Source: agent 3.6, authorization 6.1.
 */
export class RollingFile {
  readonly #options: Required<Omit<RollingFileOptions, "seal">>;
  readonly #seal: LineSeal | null;
  readonly #path: string;
  readonly #oldName: RegExp;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #closing = new AbortController();
  #waiting: string[] = [];
  #waitingBytes = 0;
  #lostLines = 0;
  #flushPending = false;
  #file: Deno.FsFile | null = null;
  #fileId: { readonly dev: number; readonly ino: number | null } | null = null;
  #sizeBytes = 0;
  /** Files put aside since the last `sync()`. */
  #aside: string[] = [];
  #nextCheckMs = -Infinity;
  #retryAtMs = -Infinity;
  #trouble: { count: number; readonly sinceWallMs: number; readonly cause: string } | null = null;

  constructor(options: RollingFileOptions) {
    const { seal = null, ...rest } = options;
    this.#options = { maxBytes: 10 * 1024 * 1024, maxFiles: 5, onTrouble: () => {}, ...rest };
    this.#seal = seal;
    this.#path = `${options.folder}/${options.name}`;
    this.#oldName = asidePattern(options.name);
  }

  /** Lines that wait to be written. */
  get waitingLines(): number {
    return this.#waiting.length;
  }

  /** Lines that were lost since the start. */
  get lostLines(): number {
    return this.#lostLines;
  }

  /** Where the current file lies. */
  get path(): string {
    return this.#path;
  }

  /** Whether `name` is this file or one of those it put aside. */
  owns(name: string): boolean {
    return name === this.#options.name || this.#oldName.test(name);
  }

  /** Names of the files that were put aside and are still there, oldest first. @throws Deno.errors.* */
  asideNames(): string[] {
    const names: string[] = [];
    for (const entry of Deno.readDirSync(this.#options.folder)) {
      if (entry.isFile && this.#oldName.test(entry.name)) names.push(entry.name);
    }
    return names.sort();
  }

  /** Opens or creates the file. Returns whether that worked. */
  open(): boolean {
    return this.#write([]);
  }

  /** Writes the line before it returns. Returns whether that worked. */
  writeNow(line: string): boolean {
    this.#append(line);
    return this.flush();
  }

  /** Writes the line within 200 ms. */
  writeSoon(line: string): void {
    this.#append(line);
    if (this.#flushPending || this.#closing.signal.aborted) return;
    this.#flushPending = true;
    this.#options.clock.sleep(FLUSH_AFTER_MS, this.#closing.signal).then(() => {
      this.#flushPending = false;
      this.flush();
    });
  }

  /** Writes what waits. Returns whether all of it reached the file. */
  flush(): boolean {
    if (this.#waiting.length === 0) return true;
    const lines = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return this.#write(lines);
  }

  /**
   * Brings what the file and those put aside since the last call held at the time of the call to the disk. Returns whether
   * that worked; what failed is tried again with the next call.
   */
  async sync(): Promise<boolean> {
    const opened: Deno.FsFile[] = [];
    try {
      // The current one first: if it is put aside meanwhile, it is in the list.
      opened.push(await Deno.open(this.#path, { read: true }));
      const aside = this.#aside;
      for (const path of aside) {
        const file = await openIfThere(path);
        if (file !== null) opened.push(file);
      }
      for (const file of opened) await file.syncData();
      this.#aside = this.#aside.filter((path) => !aside.includes(path));
      return true;
    } catch {
      return false;
    } finally {
      for (const file of opened) file.close();
    }
  }

  #write(lines: readonly string[]): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#retryAtMs) return this.#lose(lines.length, null);
    const done = { lines: 0 };
    try {
      this.#writeLines(this.#ready(nowMs), lines, done);
    } catch (error) {
      this.#closeFile();
      this.#retryAtMs = nowMs + CHECK_EVERY_MS;
      return this.#lose(lines.length - done.lines, error);
    }
    return true;
  }

  /** Writes what waits and lets the file go. Later lines open it again. */
  close(): void {
    this.flush();
    this.#closing.abort();
    this.#closeFile();
  }

  #append(line: string): void {
    const room = roomFor(line);
    if (this.#waitingBytes + room > BUFFER_BYTES) this.flush();
    this.#waiting.push(line);
    this.#waitingBytes += room;
  }

  /** Writes the lines in as few pieces as fit into the buffer. `done` counts those that stand in the file as a whole. */
  #writeLines(file: Deno.FsFile, lines: readonly string[], done: { lines: number }): void {
    for (let at = 0; at < lines.length;) {
      const first = lines[at]!.slice(0, LONGEST_LINE);
      const buffer = roomFor(first) <= BUFFER_BYTES ? this.#buffer : new Uint8Array(roomFor(first));
      let filled = this.#encode(first, buffer);
      let count = 1;
      for (let line = lines[at + count]; line !== undefined; line = lines[at + count]) {
        if (filled + roomFor(line) > buffer.length) break;
        filled += this.#encode(line, buffer.subarray(filled));
        count++;
      }
      this.#writeBytes(file, buffer.subarray(0, filled), count, done);
      at += count;
    }
  }

  #encode(line: string, into: Uint8Array): number {
    return this.#seal === null ? encodeLine(line, into) : this.#seal.encode(line, into);
  }

  /** Writes `bytes`, which are `count` lines. */
  #writeBytes(
    file: Deno.FsFile,
    bytes: Uint8Array,
    count: number,
    done: { lines: number },
  ): void {
    let written = 0;
    try {
      while (written < bytes.length) {
        written += file.writeSync(bytes.subarray(written));
      }
    } finally {
      this.#sizeBytes += written;
      const whole = written === bytes.length ? count : countLines(bytes.subarray(0, written));
      this.#seal?.settled(whole);
      done.lines += whole;
    }
  }

  /** The open file, put aside first when it is full. */
  #ready(nowMs: number): Deno.FsFile {
    if (this.#file !== null && nowMs >= this.#nextCheckMs && !this.#isStillThere()) {
      this.#closeFile();
    }
    let file = this.#file ?? this.#open(nowMs);
    if (nowMs >= this.#nextCheckMs) this.#nextCheckMs = nowMs + CHECK_EVERY_MS;
    if (this.#sizeBytes >= this.#options.maxBytes) {
      this.#closeFile();
      this.#putAside();
      file = this.#open(nowMs);
    }
    this.#writeLossNotice(file);
    return file;
  }

  #isStillThere(): boolean {
    try {
      const info = Deno.lstatSync(this.#path);
      if (info.dev !== this.#fileId?.dev || info.ino !== this.#fileId.ino) return false;
      // Where lines depend on each other, somebody else's lines or cuts are to be noticed.
      return this.#seal === null || info.size === this.#sizeBytes;
    } catch {
      return false;
    }
  }

  #open(nowMs: number): Deno.FsFile {
    const file = openRegularFile(this.#path, () => createPrivateFolder(this.#options.folder));
    let torn: boolean;
    try {
      if (this.#seal !== null) lock(file, this.#path);
      const info = file.statSync();
      this.#fileId = { dev: info.dev, ino: info.ino };
      this.#sizeBytes = info.size;
      torn = endsInMidLine(file, info.size);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file = file;
    this.#nextCheckMs = nowMs + CHECK_EVERY_MS;
    this.#prune(this.#options.maxFiles - 1);
    const first = this.#seal?.opened(file, this.#sizeBytes) ?? [];
    if (torn) this.#sizeBytes += file.writeSync(Uint8Array.of(LINE_FEED));
    this.#writeLines(file, first, { lines: 0 });
    return file;
  }

  #putAside(): void {
    const wallMs = this.#options.clock.wallMs();
    // A name that exists would be overwritten by the renaming; the nanoseconds make room.
    for (let extraNs = 0n; extraNs < 1000n; extraNs++) {
      const target = `${this.#path}.${formatFileStamp(wallMs, extraNs)}.log`;
      if (exists(target)) continue;
      Deno.renameSync(this.#path, target);
      if (this.#seal !== null) this.#aside = [...this.#aside, target].slice(-MOST_ASIDE);
      return;
    }
    throw new Error(`No free name to put \`${this.#path}\` aside`);
  }

  #prune(keep: number): void {
    const old = this.asideNames();
    let excess = old.length - keep;
    let failure: unknown = null;
    for (const name of old) {
      if (excess <= 0) return;
      try {
        this.#seal?.removing(`${this.#options.folder}/${name}`);
        Deno.removeSync(`${this.#options.folder}/${name}`);
        excess--;
      } catch (error) {
        // One file that cannot be removed must not stop the log: a younger one goes in its place.
        failure = error;
      }
    }
    if (excess > 0) throw failure;
  }

  #writeLossNotice(file: Deno.FsFile): void {
    const lost = this.#trouble;
    if (lost === null) return;
    this.#writeLines(file, [this.#options.lossNotice(lost)], { lines: 0 });
    this.#trouble = null;
    this.#options.onTrouble(null);
  }

  /** Counts lines as lost. `error` is `null` while an earlier failure is still being waited out. */
  #lose(count: number, error: unknown): false {
    this.#lostLines += count;
    if (this.#trouble !== null) {
      this.#trouble.count += count;
      return false;
    }
    const cause = describeFileError(error);
    this.#trouble = { count, sinceWallMs: this.#options.clock.wallMs(), cause };
    this.#options.onTrouble(cause);
    return false;
  }

  #closeFile(): void {
    this.#file?.close();
    this.#file = null;
  }
}

/** Matches the names under which files of this name are put aside, and no other. */
export function asidePattern(name: string): RegExp {
  return new RegExp(
    `^${name.replace(/[^\w]/g, "\\$&")}` +
      String.raw`\.\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d(\.\d{1,9})?-\d{1,20}\.log$`,
  );
}

/**
 * Opens for appending, creating the file when it is missing, and never through a link. The mode becomes 0640 whatever it
 * was.
 */
function openRegularFile(path: string, createFolder: () => void): Deno.FsFile {
  let before: Deno.FileInfo;
  try {
    before = Deno.lstatSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    createFolder();
    const created = Deno.openSync(path, {
      read: true,
      append: true,
      createNew: true,
      mode: FILE_MODE,
    });
    // The umask may have narrowed the mode.
    Deno.chmodSync(path, FILE_MODE);
    return created;
  }
  if (!before.isFile) throw new Error(`Not a regular file: \`${path}\``);
  const file = Deno.openSync(path, { read: true, append: true });
  const after = file.statSync();
  if (after.dev !== before.dev || after.ino !== before.ino) {
    file.close();
    throw new Error(`The file was exchanged while it was being opened: \`${path}\``);
  }
  if (((before.mode ?? FILE_MODE) & 0o777) !== FILE_MODE) Deno.chmodSync(path, FILE_MODE);
  return file;
}

/** Most bytes that the line may take in the file. */
function roomFor(line: string): number {
  // A UTF-16 unit takes at most three bytes.
  return line.length * 3 + SEAL_ROOM_BYTES;
}

const ENCODER = new TextEncoder();

function encodeLine(line: string, into: Uint8Array): number {
  const { written } = ENCODER.encodeInto(line, into);
  into[written] = LINE_FEED;
  return written + 1;
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === LINE_FEED) count++;
  return count;
}

/** Takes the lock of a file, for as long as it is open. A file system without locks is used without. @throws Error when somebody else has it */
function lock(file: Deno.FsFile, path: string): void {
  let isLocked: boolean;
  try {
    isLocked = file.tryLockSync(true);
  } catch {
    return;
  }
  if (!isLocked) throw new Error(`Another process writes the file: \`${path}\``);
}

async function openIfThere(path: string): Promise<Deno.FsFile | null> {
  try {
    return await Deno.open(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function endsInMidLine(file: Deno.FsFile, sizeBytes: number): boolean {
  if (sizeBytes === 0) return false;
  const last = new Uint8Array(1);
  file.seekSync(sizeBytes - 1, Deno.SeekMode.Start);
  return file.readSync(last) === 1 && last[0] !== LINE_FEED;
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
