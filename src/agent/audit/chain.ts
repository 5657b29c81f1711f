import type { LineSeal } from "../../runtime/rolling_file.ts";
import type { Scalar } from "../../runtime/errors.ts";
import type { Anchor } from "./anchor.ts";
import { type ChainPoint, GENESIS, sealInto } from "./seal.ts";
import { readFirstSealOf, readTail, readTailOf, type Tail } from "./tail.ts";

const LINE_FEED = 0x0a;

/**
 * Why a record about the chain stands in the log. `new`: nothing was known of an earlier one. `started`: the agent began.
 * `rotated`: the first line of a new file. `resumed`: the file was opened again after it could not be written, or after
 * somebody else had changed or taken it.
 */
export type ChainEvent = "new" | "started" | "rotated" | "resumed";

/**
 * What the agent itself found when it opened the log. `shortened`: records at the end are missing. `altered`: the end is not
 * what was written. `missing`: there was a log, and there is none. `anchor-unreadable`: what lies in the place of the anchor
 * is none.
 */
export type ChainDamage = "shortened" | "altered" | "missing" | "anchor-unreadable";

/** Where the chain finds what earlier processes left. */
export interface ChainSources {
  /** Paths of the files that were put aside, oldest first. */
  readonly asidePaths: () => readonly string[];
  readonly currentPath: string;
  readonly readAnchor: () => Anchor | null | "unreadable";
  /** The line about the chain itself. */
  readonly noticeLine: (members: Readonly<Record<string, Scalar>>) => string;
  /** Hears of damage, once for each time it is found. */
  readonly onDamage: (damage: ChainDamage, expected: ChainPoint | null) => void;
}

/** What is to be said about the chain, until it stands in the file. */
interface Notice {
  readonly event: ChainEvent;
  readonly damage: ChainDamage | null;
  readonly expected: ChainPoint | null;
}

/**
 * Seals the lines of the audit log: each has the next number and the hash of the one before it, across files and restarts.
 *
 * INVARIANT: the place it holds is that of the last line that stands in the file as a whole. A line that was lost never had
 * a number. Source: authorization 9.6.
 */
export class Chain implements LineSeal {
  readonly #sources: ChainSources;
  /** `null` until the first file was opened. */
  #point: ChainPoint | null = null;
  /** Sealed, and perhaps not written. */
  #unsettled: ChainPoint[] = [];
  /** The line that was being written when writing failed: only its line feed may be missing. */
  #interrupted: ChainPoint | null = null;
  #keptFromSeq = 1;
  #notice: Notice | null = null;

  constructor(sources: ChainSources) {
    this.#sources = sources;
  }

  /** How far the file reaches; `null` before its first line. */
  get anchor(): Anchor | null {
    if (this.#point === null || this.#point.seq === 0) return null;
    return { ...this.#point, keptFromSeq: this.#keptFromSeq };
  }

  opened(file: Deno.FsFile, sizeBytes: number): readonly string[] {
    const tail = readTail(file, sizeBytes);
    const notice = this.#point === null
      ? this.#adopt(tail)
      : this.#goOn(this.#point, tail, sizeBytes);
    // What an earlier opening found and could not write is still to be said.
    this.#notice = this.#notice === null ? notice : {
      event: this.#notice.event,
      damage: this.#notice.damage ?? notice?.damage ?? null,
      expected: this.#notice.expected ?? notice?.expected ?? null,
    };
    if (this.#notice === null) return [];
    const { event, damage, expected } = this.#notice;
    return [this.#sources.noticeLine({
      why: event,
      keptFromSeq: this.#keptFromSeq,
      tornBytes: tail.torn?.bytes ?? 0,
      tornSha256: tail.torn?.sha256 ?? null,
      damage,
      expectedSeq: expected?.seq ?? null,
      expectedHash: expected?.hash ?? null,
    })];
  }

  encode(line: string, bytes: Uint8Array): number {
    const previous = this.#unsettled.at(-1) ?? this.#point ?? { seq: 0, hash: GENESIS };
    const { length, point } = sealInto(line, previous, bytes);
    bytes[length] = LINE_FEED;
    this.#unsettled.push(point);
    return length + 1;
  }

  settled(count: number): void {
    const last = this.#unsettled[count - 1];
    this.#interrupted = this.#unsettled[count] ?? null;
    this.#unsettled = [];
    if (last === undefined) return;
    this.#point = last;
    // The line about the chain is the first one that an opened file gets.
    this.#notice = null;
  }

  removing(path: string): void {
    const last = readTailOf(path)?.last ?? null;
    if (last !== null) this.#keptFromSeq = Math.max(this.#keptFromSeq, last.seq + 1);
  }

  /** Continues what earlier processes left. */
  #adopt(tail: Tail): Notice {
    const paths = this.#asidePaths();
    const before = tail.last === null ? tailOfNewest(paths) ?? tail : tail;
    const found = before.last;
    const read = this.#sources.readAnchor();
    const anchor = read === "unreadable" ? null : read;
    const damage = read === "unreadable"
      ? "anchor-unreadable"
      : damageOf(found, before, anchor, tail.isAlien);
    const isBehind = anchor !== null && (found === null || found.seq <= anchor.seq);
    this.#point = isBehind ? anchor : found ?? { seq: 0, hash: GENESIS };
    const kept = anchor?.keptFromSeq ?? firstSeq([...paths, this.#sources.currentPath]) ?? 1;
    this.#keptFromSeq = Math.max(this.#keptFromSeq, kept);
    this.#tellDamage(damage, anchor);
    const event = found === null && read === null ? "new" : "started";
    return { event, damage, expected: damage === null ? null : anchor };
  }

  /** Continues what this process has written. */
  #goOn(point: ChainPoint, tail: Tail, sizeBytes: number): Notice | null {
    const last = tail.last ?? tailOfNewest(this.#asidePaths())?.last ?? null;
    if (last !== null && last.hash === this.#interrupted?.hash) {
      this.#point = last;
      this.#interrupted = null;
      return this.#goOn(last, tail, sizeBytes);
    }
    const isOurs = !tail.isAlien && (last?.hash ?? GENESIS) === point.hash;
    if (sizeBytes === 0) {
      return { event: isOurs ? "rotated" : "resumed", damage: null, expected: null };
    }
    if (isOurs && tail.last !== null && tail.torn === null) return null;
    if (isOurs) return { event: "resumed", damage: null, expected: null };
    const damage = last !== null && last.seq < point.seq ? "shortened" : "altered";
    this.#tellDamage(damage, point);
    return { event: "resumed", damage, expected: point };
  }

  /** Once, however often the file is opened before the record of it could be written. */
  #tellDamage(damage: ChainDamage | null, expected: ChainPoint | null): void {
    if (damage === null || (this.#notice !== null && this.#notice.damage !== null)) return;
    this.#sources.onDamage(damage, expected);
  }

  #asidePaths(): readonly string[] {
    try {
      return this.#sources.asidePaths();
    } catch {
      return [];
    }
  }
}

/** What is wrong with the log that an earlier process left. */
function damageOf(
  found: ChainPoint | null,
  tail: Tail,
  anchor: Anchor | null,
  isAlien: boolean,
): ChainDamage | null {
  if (anchor === null) return found !== null && isAlien ? "altered" : null;
  if (found === null) return isAlien ? "altered" : "missing";
  if (found.seq < anchor.seq) return "shortened";
  const hash = tail.hashAt(anchor.seq);
  return isAlien || (hash !== null && hash !== anchor.hash) ? "altered" : null;
}

function tailOfNewest(paths: readonly string[]): Tail | null {
  const newest = paths.at(-1);
  return newest === undefined ? null : readTailOf(newest);
}

/** The number of the first record of the oldest file that has one. */
function firstSeq(paths: readonly string[]): number | null {
  for (const path of paths) {
    const seal = readFirstSealOf(path);
    if (seal !== null) return seal.seq;
  }
  return null;
}
