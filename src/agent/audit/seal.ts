import { createHash } from "node:crypto";

/** What the first line of a chain has for the hash of the line before it. */
export const GENESIS = "0".repeat(64);

/** A place in the chain: a line's number and its hash. */
export interface ChainPoint {
  readonly seq: number;
  /** 64 lower-case hex digits. */
  readonly hash: string;
}

/** What binds a line to the one before it. */
export interface Seal extends ChainPoint {
  readonly prevHash: string;
  /** The hash covers this many bytes of the line, from its first one. */
  readonly coveredBytes: number;
}

/** The end of every sealed line. Its shape is fixed, so that no byte of a line is outside hash, shape and comparison. */
const END = /,"seq":([1-9]\d{0,15}),"prevHash":"([0-9a-f]{64})"(,"hash":"([0-9a-f]{64})"\})$/;
/** The end has at most this many bytes. */
const LONGEST_END = 256;

const ENCODER = new TextEncoder();
/** Bytes to characters one to one: what is looked for is ASCII. */
const ENDS = new TextDecoder("latin1");

/** SHA-256, 64 lower-case hex digits. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * Puts the line with its seal, without a line feed, into `bytes`; returns its length and its place. The hash is SHA-256 over
 * the line's bytes from the first one (the time of the header) to the quotation mark that closes `prevHash`.
 * @param line the header and a JSON object that has at least one member
 */
export function sealInto(
  line: string,
  previous: ChainPoint,
  bytes: Uint8Array,
): { readonly length: number; readonly point: ChainPoint } {
  const seq = previous.seq + 1;
  const covered = `${line.slice(0, -1)},"seq":${seq},"prevHash":"${previous.hash}"`;
  const { written } = ENCODER.encodeInto(covered, bytes);
  const hash = sha256(bytes.subarray(0, written));
  const end = ENCODER.encodeInto(`,"hash":"${hash}"}`, bytes.subarray(written));
  return { length: written + end.written, point: { seq, hash } };
}

/** The seal of a line without its line feed; `null` when it has none. Whether it holds is for `sealHolds` to say. */
export function readSeal(line: Uint8Array): Seal | null {
  const found = END.exec(ENDS.decode(line.subarray(Math.max(0, line.length - LONGEST_END))));
  if (found === null) return null;
  const [, seq = "", prevHash = "", end = "", hash = ""] = found;
  if (!Number.isSafeInteger(Number(seq))) return null;
  return { seq: Number(seq), prevHash, hash, coveredBytes: line.length - end.length };
}

/** The hash that the line's bytes have, which is the one it names if nobody changed it. */
export function hashOfLine(line: Uint8Array, seal: Seal): string {
  return sha256(line.subarray(0, seal.coveredBytes));
}
