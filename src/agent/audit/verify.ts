import { createHash, type Hash } from "node:crypto";
import { type ChainPoint, GENESIS, hashOfLine, readSeal, type Seal } from "./seal.ts";

/** Where a line of the header ends and its JSON begins. */
const HEADER_BYTES = 34;
/** Findings that are told one by one; more are counted. */
const MOST_FINDINGS = 200;
const LINE_FEED = Uint8Array.of(0x0a);

/**
 * What is wrong. `changed`: the bytes of a record are not those that were hashed. `not-a-record`: a line without a seal.
 * `missing`: numbers are skipped. `out-of-order`: a number comes again or too late. `unlinked`: the record does not name the
 * hash of the one before it. `unfinished`: the log ends within a line. `beginning-missing`, `end-missing`: records are missing
 * at an end. `anchor`: a record is not the one that an anchor names. `noted`: the agent found damage when it opened the log.
 */
export type FindingKind =
  | "changed"
  | "not-a-record"
  | "missing"
  | "out-of-order"
  | "unlinked"
  | "unfinished"
  | "beginning-missing"
  | "end-missing"
  | "anchor"
  | "noted";

/** A place where the log is not what was written. */
export interface Finding {
  readonly kind: FindingKind;
  readonly file: string;
  /** Counted from 1; 0 for the end of the file. */
  readonly line: number;
  /** The number of the record meant; `null` when it is not known. */
  readonly seq: number | null;
  readonly expected: string;
  readonly found: string;
}

/** What is worth knowing and no damage. */
export interface Remark {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** A record that somebody noted elsewhere. */
export interface Witness extends ChainPoint {
  /** Who says so, such as a path. */
  readonly from: string;
}

/** What the log must hold besides being one chain. */
export interface Claims {
  readonly witnesses: readonly Witness[];
  /** The first record that must be there; `null`: whatever the first one is. */
  readonly fromSeq: number | null;
  /** Whether all files of the log are looked at, so that a missing beginning is damage. */
  readonly isComplete: boolean;
  /** `keptFromSeq` of the anchor; `null` without one. */
  readonly keptFromSeq: number | null;
}

/** The outcome. */
export interface Verdict {
  readonly isIntact: boolean;
  readonly records: number;
  readonly first: ChainPoint | null;
  readonly last: ChainPoint | null;
  readonly findings: readonly Finding[];
  /** Findings that are not listed. */
  readonly moreFindings: number;
  readonly remarks: readonly Remark[];
}

/** Lines without a seal, until it is known whether the agent answers for them. */
interface Pending {
  readonly line: number;
  count: number;
  bytes: number;
  readonly hash: Hash;
}

/**
 * Reads the lines of an audit log, oldest first, and says where it is not the chain that was written. It knows nothing of
 * files: lines go in, findings come out. Memory is bounded, whatever the log.
 */
export class ChainVerifier {
  readonly #claims: Claims;
  readonly #findings: Finding[] = [];
  readonly #remarks: Remark[] = [];
  readonly #seen = new Map<number, string>();
  readonly #wanted: ReadonlySet<number>;
  #more = 0;
  #file = "";
  #line = 0;
  #records = 0;
  #first: ChainPoint | null = null;
  #firstPlace = { file: "", line: 0 };
  #firstPrevHash = "";
  /** The record that the next one must follow, and what it may name as its hash. */
  #last: ChainPoint | null = null;
  #links: readonly string[] = [];
  /** Whether the last record was damaged, so that its number says nothing. */
  #isLoose = false;
  #pending: Pending | null = null;
  /** Lines without a seal right before: numbers that they may have had. */
  #slack = 0;
  /** `keptFromSeq` of the last record about the chain. */
  #keptFromSeq: number | null = null;
  /** Whether the file has had a record, and whether its first one is about the chain, as it must be. */
  #fileBegun = false;

  constructor(claims: Claims) {
    this.#claims = claims;
    this.#wanted = new Set(claims.witnesses.map(({ seq }) => seq));
  }

  /** Begins a file. */
  beginFile(file: string): void {
    this.#giveUpPending();
    this.#file = file;
    this.#line = 0;
    this.#fileBegun = false;
  }

  /** One line of the file, without its line feed. */
  line(bytes: Uint8Array): void {
    this.#line++;
    const seal = readSeal(bytes);
    if (seal === null) return this.#unsealed(bytes);
    const hash = hashOfLine(bytes, seal);
    // What a record says counts as long as it is the record that was written.
    const notice = hash === seal.hash ? chainNotice(bytes) : null;
    this.#settlePending(seal, hash === seal.hash, notice);
    this.#record(seal, hash, notice);
  }

  /** The bytes behind the last line feed of the file. */
  unfinished(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#giveUpPending();
    this.#line++;
    this.#find({
      kind: "unfinished",
      seq: this.#next(),
      expected: "a line feed at the end of the last record",
      found:
        `${bytes.length} bytes without one; the agent was killed while it wrote, or the file was cut`,
    });
  }

  /** Ends the log. */
  finish(): Verdict {
    this.#giveUpPending();
    this.#judgeBeginning();
    for (const witness of this.#claims.witnesses) this.#judgeWitness(witness);
    return {
      isIntact: this.#findings.length === 0,
      records: this.#records,
      first: this.#first,
      last: this.#last,
      findings: this.#findings,
      moreFindings: this.#more,
      remarks: this.#remarks,
    };
  }

  #record(seal: Seal, hash: string, notice: ChainNotice | null): void {
    this.#records++;
    const holds = hash === seal.hash;
    if (!holds) {
      this.#find({
        kind: "changed",
        seq: this.#next() ?? seal.seq,
        expected: `hash ${seal.hash}, as the record says`,
        found: `hash ${hash}`,
      });
    }
    const isLate = this.#place(seal, holds);
    if (!this.#fileBegun) this.#judgeFirstOfFile(seal, notice, holds);
    if (notice !== null) this.#judgeNotice(seal, notice);
    if (holds && this.#wanted.has(seal.seq) && !this.#seen.has(seal.seq)) {
      this.#seen.set(seal.seq, seal.hash);
    }
    this.#slack = 0;
    if (isLate) return;
    // The number of a damaged record may be part of the damage: its neighbours know better.
    const seq = holds ? seal.seq : this.#next() ?? seal.seq;
    this.#last = { seq, hash: seal.hash };
    this.#links = holds ? [hash] : [seal.hash, hash];
    this.#isLoose = !holds;
    if (this.#first !== null) return;
    this.#first = this.#last;
    this.#firstPlace = { file: this.#file, line: 1 };
    this.#firstPrevHash = seal.prevHash;
  }

  /** Compares the record's number and link with the record before. Returns whether it belongs further up. */
  #place(seal: Seal, holds: boolean): boolean {
    const next = this.#next();
    // The damage of a changed record is told already.
    if (next === null || !holds) return false;
    const isLinked = this.#links.includes(seal.prevHash);
    if (isLinked && (this.#isLoose || seal.seq === next)) return false;
    if (seal.seq < next) {
      this.#find({
        kind: "out-of-order",
        seq: seal.seq,
        expected: `seq ${next}`,
        found: `seq ${seal.seq}`,
      });
      return true;
    }
    if (seal.seq > next + this.#slack) {
      const from = next + this.#slack;
      const to = seal.seq - 1;
      this.#find({
        kind: "missing",
        seq: from,
        expected: from === to ? `seq ${from}` : `seq ${from} to ${to}`,
        found: `seq ${seal.seq}`,
      });
    } else if (seal.seq === next) {
      this.#find({
        kind: "unlinked",
        seq: seal.seq,
        expected: `prevHash ${this.#links.join(" or ")}`,
        found: `prevHash ${seal.prevHash}`,
      });
    }
    return false;
  }

  #judgeFirstOfFile(seal: Seal, notice: ChainNotice | null, holds: boolean): void {
    this.#fileBegun = true;
    // In the middle of the log a line that is missing shows as a number that is missing.
    if (notice !== null || !holds || this.#first !== null) return;
    this.#find({
      kind: "beginning-missing",
      line: 1,
      seq: seal.seq - 1,
      expected: "a record about the chain at the beginning of the file",
      found: `seq ${seal.seq}`,
    });
  }

  #judgeNotice(seal: Seal, notice: ChainNotice): void {
    this.#keptFromSeq = notice.keptFromSeq;
    if (notice.damage === null) return;
    const expected = notice.expectedSeq === null
      ? "an intact log"
      : `seq ${notice.expectedSeq} with hash ${notice.expectedHash}`;
    this.#find({
      kind: "noted",
      seq: seal.seq,
      expected,
      found: `when the agent opened the log: ${notice.damage}`,
    });
  }

  #unsealed(bytes: Uint8Array): void {
    this.#pending ??= { line: this.#line, count: 0, bytes: 0, hash: createHash("sha256") };
    this.#pending.count++;
    this.#pending.bytes += bytes.length + 1;
    this.#pending.hash.update(bytes).update(LINE_FEED);
  }

  /** Lines without a seal are no damage where the record behind them answers for them, or where no chain had begun. */
  #settlePending(seal: Seal, holds: boolean, notice: ChainNotice | null): void {
    const pending = this.#pending;
    if (pending === null) return this.#judgeTorn(seal, notice);
    const isBeforeChain = holds && this.#first === null && seal.seq === 1 &&
      seal.prevHash === GENESIS;
    const isAnsweredFor = notice !== null && notice.tornBytes === pending.bytes &&
      notice.tornSha256 === pending.hash.copy().digest("hex");
    if (!isBeforeChain && !isAnsweredFor) return this.#giveUpPending();
    this.#pending = null;
    const text = isBeforeChain
      ? `${pending.count} lines from before the chain began`
      : `${pending.bytes} bytes of a record that was not finished, as seq ${seal.seq} tells`;
    this.#remark(pending.line, text);
  }

  /** What the agent found unfinished must still be there. */
  #judgeTorn(seal: Seal, notice: ChainNotice | null): void {
    if (notice === null || notice.tornBytes === 0) return;
    this.#find({
      kind: "missing",
      seq: seal.seq,
      expected: `${notice.tornBytes} bytes of a record that was not finished`,
      found: "nothing before the record that tells of them",
    });
  }

  #giveUpPending(): void {
    const pending = this.#pending;
    if (pending === null) return;
    this.#pending = null;
    const next = this.#next();
    this.#find({
      kind: "not-a-record",
      line: pending.line,
      seq: next,
      expected: next === null ? "a record" : `seq ${next}`,
      found: pending.count === 1
        ? "a line without a seal"
        : `${pending.count} lines without a seal`,
    });
    this.#slack = pending.count;
  }

  #judgeBeginning(): void {
    const { fromSeq, isComplete, keptFromSeq } = this.#claims;
    const first = this.#first;
    const keeps = isComplete ? Math.max(this.#keptFromSeq ?? 1, keptFromSeq ?? 1) : null;
    const due = fromSeq ?? keeps;
    if (first === null || due === null || first.seq <= due) return;
    const last = first.seq - 1;
    this.#find({
      kind: "beginning-missing",
      ...this.#firstPlace,
      seq: due,
      expected: due === last ? `seq ${due}` : `seq ${due} to ${last}`,
      found: `seq ${first.seq}`,
    });
  }

  #judgeWitness({ seq, hash, from }: Witness): void {
    const { file, line } = this.#firstPlace;
    const seen = this.#seen.get(seq);
    if (seen !== undefined) {
      if (seen === hash) return;
      return this.#find({
        kind: "anchor",
        line: 0,
        seq,
        expected: `hash ${hash}, as ${from} says`,
        found: `hash ${seen}`,
      });
    }
    if (this.#last === null || seq > this.#last.seq) {
      const next = this.#next() ?? 1;
      return this.#find({
        kind: "end-missing",
        line: 0,
        seq: next,
        expected: `records up to seq ${seq}, as ${from} says`,
        found: this.#last === null ? "no record" : `seq ${this.#last.seq} as the last one`,
      });
    }
    if (this.#first === null || seq >= this.#first.seq) return;
    if (seq < this.#first.seq - 1) {
      this.#remark(line, `seq ${seq}, which ${from} names, is not among the records`, file);
    } else if (hash !== this.#firstPrevHash) {
      this.#find({
        kind: "anchor",
        file,
        line,
        seq,
        expected: `prevHash ${hash}, as ${from} says`,
        found: `prevHash ${this.#firstPrevHash}`,
      });
    }
  }

  /** The number that the next record must have. */
  #next(): number | null {
    return this.#last === null ? null : this.#last.seq + 1;
  }

  #remark(line: number, text: string, file = this.#file): void {
    if (this.#remarks.length < MOST_FINDINGS) this.#remarks.push({ file, line, text });
  }

  #find(finding: Omit<Finding, "file" | "line"> & Partial<Pick<Finding, "file" | "line">>): void {
    if (this.#findings.length >= MOST_FINDINGS) this.#more++;
    else this.#findings.push({ file: this.#file, line: this.#line, ...finding });
  }
}

/** What a record about the chain says. */
interface ChainNotice {
  readonly keptFromSeq: number;
  readonly tornBytes: number;
  readonly tornSha256: string | null;
  readonly damage: string | null;
  readonly expectedSeq: number | null;
  readonly expectedHash: string | null;
}

const NOTICE_START = new TextEncoder().encode('{"notice":"chain",');

function chainNotice(line: Uint8Array): ChainNotice | null {
  for (let at = 0; at < NOTICE_START.length; at++) {
    if (line[HEADER_BYTES + at] !== NOTICE_START[at]) return null;
  }
  try {
    const found = JSON.parse(new TextDecoder().decode(line.subarray(HEADER_BYTES)));
    return Number.isSafeInteger(found.keptFromSeq) ? found : null;
  } catch {
    return null;
  }
}
