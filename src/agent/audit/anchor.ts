import { describeFileError, replaceFile } from "../../runtime/files.ts";
import { ANCHOR_FILE_NAME, ANCHOR_TEMPORARY_NAME } from "./file_names.ts";
import type { ChainPoint } from "./seal.ts";

const FILE_MODE = 0o640;
const LONGEST_FILE = 4096;

/** What is known about a chain without its file. */
export interface Anchor extends ChainPoint {
  /** The first record that the agent has not deleted to make room. */
  readonly keptFromSeq: number;
}

/** Reads an anchor. `null`: there is none. `"unreadable"`: what lies there is none. */
export function readAnchor(path: string): Anchor | null | "unreadable" {
  let text: string;
  try {
    if (!Deno.lstatSync(path).isFile) return "unreadable";
    using file = Deno.openSync(path, { read: true });
    const bytes = new Uint8Array(LONGEST_FILE);
    text = new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? null : "unreadable";
  }
  return parseAnchor(text) ?? "unreadable";
}

/** An anchor out of JSON that has its three members; `null` when it has not. */
export function parseAnchor(text: string): Anchor | null {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  return toAnchor(found);
}

/** An anchor out of a value of unknown shape, or `null`. */
export function toAnchor(found: unknown): Anchor | null {
  if (typeof found !== "object" || found === null) return null;
  const { seq, hash, keptFromSeq } = found as Record<string, unknown>;
  if (!isSeq(seq) || !isSeq(keptFromSeq)) return null;
  if (typeof hash !== "string" || !/^[0-9a-f]{64}$/.test(hash)) return null;
  return { seq, hash, keptFromSeq };
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/** Replaces the anchor of a folder as a whole. Returns what went wrong, or `null`. */
export async function writeAnchor(folder: string, anchor: Anchor): Promise<string | null> {
  const { seq, hash, keptFromSeq } = anchor;
  const content = new TextEncoder().encode(`${JSON.stringify({ seq, hash, keptFromSeq })}\n`);
  const path = `${folder}/${ANCHOR_FILE_NAME}`;
  try {
    await replaceFile(path, `${folder}/${ANCHOR_TEMPORARY_NAME}`, content, FILE_MODE);
    return null;
  } catch (error) {
    return describeFileError(error);
  }
}
