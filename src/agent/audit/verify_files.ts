import { asidePattern } from "../../runtime/rolling_file.ts";
import { readAnchor, toAnchor } from "./anchor.ts";
import { ANCHOR_FILE_NAME, AUDIT_FILE_NAME } from "./file_names.ts";
import { readFirstSeal, WINDOW_BYTES } from "./tail.ts";
import { ChainVerifier, type Finding, type Verdict, type Witness } from "./verify.ts";

const CHUNK_BYTES = 256 * 1024;
/** A running agent may put its file aside while the folder is being read. */
const MOST_LISTINGS = 5;
/** A running agent may be in the middle of a line. */
const LINE_WAITS = 3;
const LINE_WAIT_MS = 100;
const LONGEST_STATUS_BYTES = 16 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** What is to be verified. */
export interface VerifyRequest {
  /** The log in a folder, as a whole, or just these files of one, in any order. */
  readonly log: { readonly folder: string } | { readonly files: readonly string[] };
  /** Status documents that may name a record. */
  readonly statusFiles: readonly string[];
  /** Records that somebody noted elsewhere. */
  readonly witnesses: readonly Witness[];
  /** The first record that must be there, in place of what the log itself says. */
  readonly fromSeq: number | null;
}

/** The outcome, and what it is about. */
export interface VerifyReport extends Verdict {
  readonly files: readonly { readonly path: string; readonly lines: number }[];
  readonly witnesses: readonly Witness[];
}

/**
 * Verifies an audit log, also while an agent writes to it.
 * @throws Deno.errors.* when the folder or a named file cannot be read
 */
export async function verifyLog(request: VerifyRequest): Promise<VerifyReport> {
  // Before the files: they may only reach further than what is known of them.
  const noted = collectWitnesses(request);
  using files = "folder" in request.log
    ? openFolder(request.log.folder)
    : openAll(request.log.files);
  const verifier = new ChainVerifier({
    witnesses: noted.witnesses,
    fromSeq: request.fromSeq,
    isComplete: "folder" in request.log,
    keptFromSeq: noted.keptFromSeq,
  });
  const ordered = inOrder(files.opened);
  const read: { path: string; lines: number }[] = [];
  for (const { path, file } of ordered) {
    verifier.beginFile(path);
    read.push({ path, lines: await feed(file, verifier, path === ordered.at(-1)?.path) });
  }
  const verdict = verifier.finish();
  return {
    ...verdict,
    isIntact: verdict.isIntact && noted.findings.length === 0,
    findings: [...noted.findings, ...verdict.findings],
    files: read,
    witnesses: noted.witnesses,
  };
}

interface OpenFile {
  readonly path: string;
  readonly file: Deno.FsFile;
}

/** Files that are closed together. */
class OpenFiles {
  readonly opened: OpenFile[] = [];

  [Symbol.dispose](): void {
    for (const { file } of this.opened) file.close();
  }
}

function openAll(paths: readonly string[]): OpenFiles {
  const files = new OpenFiles();
  try {
    for (const path of new Set(paths)) {
      files.opened.push({ path, file: Deno.openSync(path, { read: true }) });
    }
    return files;
  } catch (error) {
    files[Symbol.dispose]();
    throw error;
  }
}

/** Opens all files of the log as they are at one moment. */
function openFolder(folder: string): OpenFiles {
  for (let attempt = 1;; attempt++) {
    const before = logFiles(folder);
    let files: OpenFiles;
    try {
      files = openAll(before);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) || attempt >= MOST_LISTINGS) throw error;
      continue;
    }
    if (attempt >= MOST_LISTINGS || logFiles(folder).join("\n") === before.join("\n")) return files;
    files[Symbol.dispose]();
  }
}

/** Paths of the log's files, the oldest one first, the current one last. */
function logFiles(folder: string): string[] {
  const pattern = asidePattern(AUDIT_FILE_NAME);
  const aside: string[] = [];
  let hasCurrent = false;
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    if (isFile && pattern.test(name)) aside.push(name);
    if (isFile && name === AUDIT_FILE_NAME) hasCurrent = true;
  }
  return [...aside.sort(), ...(hasCurrent ? [AUDIT_FILE_NAME] : [])]
    .map((name) => `${folder}/${name}`);
}

/** By their first record. Files without one come first: they are from before the chain, or they are not part of it. */
function inOrder(files: readonly OpenFile[]): readonly OpenFile[] {
  const keyed = files.map((one) => {
    const seal = readFirstSeal(one.file, one.file.statSync().size);
    one.file.seekSync(0, Deno.SeekMode.Start);
    return { one, seq: seal?.seq ?? 0 };
  });
  return keyed.sort((a, b) => a.seq - b.seq).map(({ one }) => one);
}

/** Hands the lines of a file on. Returns how many there were. */
async function feed(file: Deno.FsFile, verifier: ChainVerifier, isLast: boolean): Promise<number> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  let rest = new Uint8Array();
  let lines = 0;
  for (let waits = 0;;) {
    const count = await file.read(chunk);
    if (count === null) {
      if (rest.length === 0 || !isLast || waits >= LINE_WAITS) break;
      waits++;
      await new Promise((resolve) => setTimeout(resolve, LINE_WAIT_MS));
      continue;
    }
    const bytes = joined(rest, chunk.subarray(0, count));
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      verifier.line(bytes.subarray(start, end));
      lines++;
      start = end + 1;
    }
    rest = bytes.slice(start);
    // No record is so long; what has been read of the line says that as well as all of it.
    if (rest.length > WINDOW_BYTES) rest = rest.slice(0, 1);
  }
  verifier.unfinished(rest);
  return lines;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

interface Noted {
  readonly witnesses: Witness[];
  readonly findings: Finding[];
  keptFromSeq: number | null;
}

/** What is known of the log without its files. */
function collectWitnesses(request: VerifyRequest): Noted {
  const noted: Noted = { witnesses: [...request.witnesses], findings: [], keptFromSeq: null };
  if ("folder" in request.log) {
    const path = `${request.log.folder}/${ANCHOR_FILE_NAME}`;
    const anchor = readAnchor(path);
    if (anchor === "unreadable") {
      noted.findings.push({
        kind: "anchor",
        file: path,
        line: 0,
        seq: null,
        expected: "members `seq`, `hash` and `keptFromSeq`",
        found: "something else",
      });
    } else if (anchor !== null) {
      noted.witnesses.push({ seq: anchor.seq, hash: anchor.hash, from: path });
      noted.keptFromSeq = anchor.keptFromSeq;
    }
  }
  for (const path of request.statusFiles) {
    const witness = readWitness(path);
    if (witness !== null) noted.witnesses.push(witness);
  }
  return noted;
}

/** The record that an anchor or a status document names; `null` when the file is missing or names none. */
export function readWitness(path: string): Witness | null {
  try {
    if (Deno.statSync(path).size > LONGEST_STATUS_BYTES) return null;
    const document = JSON.parse(Deno.readTextFileSync(path));
    const anchor = toAnchor(document) ?? toAnchor(document?.auditLog);
    return anchor === null ? null : { seq: anchor.seq, hash: anchor.hash, from: path };
  } catch {
    return null;
  }
}
