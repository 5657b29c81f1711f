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
const LINE_FEED = 0x0a;

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
}

/**
 * A file of lines that is put aside when it is full, with a fixed number of old ones kept. One descriptor, small
 * synchronous writes into the page cache. It never throws and survives a full disk, lost rights and a folder that
 * vanished: lines are then counted, and the count is written when the file works again.
 *
 * Only files that carry exactly the names it gives out are ever deleted. Source: agent 3.6, authorization 6.1.
 */
export class RollingFile {
  readonly #options: Required<RollingFileOptions>;
  readonly #path: string;
  readonly #oldName: RegExp;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #encoder = new TextEncoder();
  readonly #closing = new AbortController();
  #filled = 0;
  #flushPending = false;
  #file: Deno.FsFile | null = null;
  #fileId: { readonly dev: number; readonly ino: number | null } | null = null;
  #sizeBytes = 0;
  /** Whether the file ends in the middle of a line. */
  #torn = false;
  #nextCheckMs = -Infinity;
  #retryAtMs = -Infinity;
  #trouble: { count: number; readonly sinceWallMs: number; readonly cause: string } | null = null;

  constructor(options: RollingFileOptions) {
    this.#options = { maxBytes: 10 * 1024 * 1024, maxFiles: 5, onTrouble: () => {}, ...options };
    this.#path = `${options.folder}/${options.name}`;
    this.#oldName = new RegExp(
      `^${options.name.replace(/[^\w]/g, "\\$&")}` +
        String.raw`\.\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d(\.\d{1,9})?-\d{1,20}\.log$`,
    );
  }

  /** Where the current file lies. */
  get path(): string {
    return this.#path;
  }

  /** Whether `name` is this file or one of those it put aside. */
  owns(name: string): boolean {
    return name === this.#options.name || this.#oldName.test(name);
  }

  /** Opens or creates the file. Returns whether that worked. */
  open(): boolean {
    return this.#write(new Uint8Array());
  }

  /** Writes the line before it returns. Returns whether that worked. */
  writeNow(line: string): boolean {
    const appended = this.#append(line);
    return this.flush() && appended;
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
    if (this.#filled === 0) return true;
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#filled = 0;
    return this.#write(bytes);
  }

  #write(bytes: Uint8Array): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#retryAtMs) return this.#lose(bytes, null);
    let written = 0;
    try {
      const file = this.#ready(nowMs);
      this.#writeNotice(file);
      if (this.#torn) this.#writeAll(file, Uint8Array.of(LINE_FEED));
      while (written < bytes.length) {
        written += this.#writeOnce(file, bytes.subarray(written));
      }
    } catch (error) {
      this.#closeFile();
      this.#retryAtMs = nowMs + CHECK_EVERY_MS;
      return this.#lose(bytes.subarray(written), error);
    }
    return true;
  }

  /** Writes what waits and lets the file go. Later lines open it again. */
  close(): void {
    this.flush();
    this.#closing.abort();
    this.#closeFile();
  }

  /** Puts the line into the buffer, or writes it at once when it is too long for that. Returns `false` when it is lost. */
  #append(line: string): boolean {
    // A UTF-16 unit takes at most three bytes.
    const longest = line.length * 3 + 1;
    if (this.#filled + longest > BUFFER_BYTES) this.flush();
    if (longest > BUFFER_BYTES) {
      return this.#write(this.#encoder.encode(`${line.slice(0, LONGEST_LINE)}\n`));
    }
    const { written } = this.#encoder.encodeInto(line, this.#buffer.subarray(this.#filled));
    this.#buffer[this.#filled + written] = LINE_FEED;
    this.#filled += written + 1;
    return true;
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
    return file;
  }

  #isStillThere(): boolean {
    try {
      const info = Deno.lstatSync(this.#path);
      return info.dev === this.#fileId?.dev && info.ino === this.#fileId.ino;
    } catch {
      return false;
    }
  }

  #open(nowMs: number): Deno.FsFile {
    const file = openRegularFile(this.#path, () => createPrivateFolder(this.#options.folder));
    try {
      const info = file.statSync();
      this.#fileId = { dev: info.dev, ino: info.ino };
      this.#sizeBytes = info.size;
      this.#torn = endsInMidLine(file, info.size);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file = file;
    this.#nextCheckMs = nowMs + CHECK_EVERY_MS;
    this.#prune(this.#options.maxFiles - 1);
    return file;
  }

  #putAside(): void {
    const wallMs = this.#options.clock.wallMs();
    // A name that exists would be overwritten by the renaming; the nanoseconds make room.
    for (let extraNs = 0n; extraNs < 1000n; extraNs++) {
      const target = `${this.#path}.${formatFileStamp(wallMs, extraNs)}.log`;
      if (exists(target)) continue;
      Deno.renameSync(this.#path, target);
      return;
    }
    throw new Error(`No free name to put \`${this.#path}\` aside`);
  }

  #prune(keep: number): void {
    const old: string[] = [];
    for (const entry of Deno.readDirSync(this.#options.folder)) {
      if (entry.isFile && this.#oldName.test(entry.name)) old.push(entry.name);
    }
    let excess = old.length - keep;
    let failure: unknown = null;
    for (const name of old.sort()) {
      if (excess <= 0) return;
      try {
        Deno.removeSync(`${this.#options.folder}/${name}`);
        excess--;
      } catch (error) {
        // One file that cannot be removed must not stop the log: a younger one goes in its place.
        failure = error;
      }
    }
    if (excess > 0) throw failure;
  }

  #writeNotice(file: Deno.FsFile): void {
    const lost = this.#trouble;
    if (lost === null) return;
    const notice = `${this.#torn ? "\n" : ""}${this.#options.lossNotice(lost)}\n`;
    this.#writeAll(file, this.#encoder.encode(notice));
    this.#trouble = null;
    this.#options.onTrouble(null);
  }

  #writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += this.#writeOnce(file, bytes.subarray(at));
  }

  #writeOnce(file: Deno.FsFile, bytes: Uint8Array): number {
    const written = file.writeSync(bytes);
    this.#sizeBytes += written;
    if (written > 0) this.#torn = bytes[written - 1] !== LINE_FEED;
    return written;
  }

  /** Counts the lines of `bytes` as lost. `error` is `null` while an earlier failure is still being waited out. */
  #lose(bytes: Uint8Array, error: unknown): false {
    let count = 0;
    for (const byte of bytes) if (byte === LINE_FEED) count++;
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
