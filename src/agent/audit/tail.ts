import { createHash } from "node:crypto";
import { type ChainPoint, hashOfLine, readSeal, type Seal } from "./seal.ts";

/** So much of a file's end or beginning is looked at. The longest line has 128 KiB of text. */
export const WINDOW_BYTES = 1024 * 1024;
/** A crash or a full disk leaves no more pieces of lines than this behind. */
const MOST_TORN_LINES = 64;
const LINE_FEED = 0x0a;

/** Bytes behind the last record of a file that are no record: what a crash or a full disk left of one. */
export interface Torn {
  readonly bytes: number;
  /** SHA-256 of the bytes, with a line feed at their end. */
  readonly sha256: string;
}

/** The end of a file, as the chain sees it. */
export interface Tail {
  /** The last whole record that holds; `null` when there is none in the window. */
  readonly last: ChainPoint | null;
  /** What follows it, or fills the file; `null` when nothing does that a crash may have left. */
  readonly torn: Torn | null;
  /** Whether what follows is more than a crash leaves, or a record that does not hold. */
  readonly isAlien: boolean;
  /** The hash of the record with this number, if it is in the window. */
  hashAt(seq: number): string | null;
}

/** Reads the end of a file. Bounded: it looks at `WINDOW_BYTES`. */
export function readTail(file: Deno.FsFile, sizeBytes: number): Tail {
  const from = Math.max(0, sizeBytes - WINDOW_BYTES);
  const bytes = readAt(file, from, sizeBytes - from);
  const hashes = new Map<number, string>();
  let last: ChainPoint | null = null;
  let lastEnd = 0;
  let isForged = false;
  for (const { start, end } of linesOf(bytes, from > 0)) {
    const line = bytes.subarray(start, end);
    const seal = readSeal(line);
    if (seal === null) continue;
    isForged = hashOfLine(line, seal) !== seal.hash;
    if (isForged) continue;
    hashes.set(seal.seq, seal.hash);
    last = { seq: seal.seq, hash: seal.hash };
    // Of a whole record only the line feed may be missing, and that is written before the next one.
    lastEnd = end + 1;
  }
  const rest = bytes.subarray(lastEnd);
  const isAlien = isForged || (last === null && from > 0) || countLines(rest) > MOST_TORN_LINES;
  return {
    last,
    torn: rest.length === 0 || isAlien ? null : tornOf(rest),
    isAlien,
    hashAt: (seq) => hashes.get(seq) ?? null,
  };
}

/** The same of a file by its path; `null` when it cannot be read. */
export function readTailOf(path: string): Tail | null {
  return withFile(path, readTail);
}

/** The first record that holds in the first megabyte of a file, or `null`. */
export function readFirstSeal(file: Deno.FsFile, sizeBytes: number): Seal | null {
  const bytes = readAt(file, 0, Math.min(sizeBytes, WINDOW_BYTES));
  for (const { start, end } of linesOf(bytes, false)) {
    const line = bytes.subarray(start, end);
    const seal = readSeal(line);
    if (seal !== null && hashOfLine(line, seal) === seal.hash) return seal;
  }
  return null;
}

/** The same of a file by its path; `null` as well when it cannot be read. */
export function readFirstSealOf(path: string): Seal | null {
  return withFile(path, readFirstSeal);
}

function withFile<T>(path: string, use: (file: Deno.FsFile, sizeBytes: number) => T): T | null {
  try {
    using file = Deno.openSync(path, { read: true });
    return use(file, file.statSync().size);
  } catch {
    return null;
  }
}

function readAt(file: Deno.FsFile, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  file.seekSync(from, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < length) {
    const read = file.readSync(bytes.subarray(filled));
    if (read === null) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}

/** The lines, without their line feeds; the last one may have none. `skipFirst` where the bytes begin somewhere in a line. */
function* linesOf(
  bytes: Uint8Array,
  skipFirst: boolean,
): Generator<{ readonly start: number; readonly end: number }> {
  let start = skipFirst ? bytes.indexOf(LINE_FEED) + 1 : 0;
  if (skipFirst && start === 0) return;
  while (start < bytes.length) {
    const lineFeedAt = bytes.indexOf(LINE_FEED, start);
    const end = lineFeedAt < 0 ? bytes.length : lineFeedAt;
    yield { start, end };
    start = end + 1;
  }
}

function tornOf(rest: Uint8Array): Torn {
  const hash = createHash("sha256").update(rest);
  const isEnded = rest.at(-1) === LINE_FEED;
  // The line feed that is missing is written before the next record.
  if (!isEnded) hash.update(Uint8Array.of(LINE_FEED));
  return { bytes: rest.length + (isEnded ? 0 : 1), sha256: hash.digest("hex") };
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === LINE_FEED) count++;
  return count;
}
