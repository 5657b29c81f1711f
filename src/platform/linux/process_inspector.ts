import type { Fd } from "../../../ffi/handle.ts";
import type { FileStatus, Libc } from "../../../ffi/libc.ts";
import { cString } from "../../../ffi/struct.ts";
import type { InspectedProcess, Inspector } from "../../agent/caller/inspector.ts";
import type { ExeDoubt, ExeProof, RedactedText } from "../../domain/identity/caller.ts";
import type { ConnectionRecord } from "../../domain/identity/connection_record.ts";
import { BoundedMap } from "../../runtime/bounded_map.ts";
import type { Clock } from "../../runtime/clock.ts";
import { startsAtTick, startTicksOf } from "./process_start.ts";

/** Processes held at once; each holds one descriptor. */
const MAX_PROCESSES = 1024;
/** How long a proof of an executable's path stands: the file may be replaced or its rights changed. */
const PROOF_TTL_MS = 60_000;
/** Arguments shown, and how much of them is read. */
const MAX_ARGUMENTS = 4;
const MAX_COMMAND_LINE_BYTES = 4096;
const MAX_PATH_BYTES = 4096;
const STAT_BYTES = 1024;

const EXE = cString("exe");
const CMDLINE = cString("cmdline");
const STAT = cString("stat");
const MOUNT_NAMESPACE = cString("ns/mnt");
const USER_NAMESPACE = cString("ns/user");

const GROUP_OR_OTHERS_MAY_WRITE = 0o022;
const UNKNOWN_COMMAND_LINE = "undefined";

interface Seen {
  readonly folder: Fd;
  /** The executable that the kernel noted. */
  readonly file: RecordedFile;
  readonly exe: ExeProof;
  readonly commandLine: RedactedText;
  readonly provenAtMs: number;
}

/**
 * Reads processes through an open reference to /proc/<pid>, which a later process with the same id can never be reached
 * by: start time first, then everything else, so that what was read is about the recorded process or is not used.
 * Source: authorization 7.1, W-02 and W-06.
 */
export class ProcessInspector implements Inspector {
  readonly #libc: Libc;
  readonly #clock: Clock;
  readonly #redact: (text: string) => RedactedText;
  readonly #seen: BoundedMap<string, Seen>;
  readonly #trustedNamespaces: ReadonlySet<string>;
  readonly #buffer = new Uint8Array(MAX_COMMAND_LINE_BYTES);

  constructor(libc: Libc, clock: Clock, redact: (text: string) => RedactedText) {
    this.#libc = libc;
    this.#clock = clock;
    this.#redact = redact;
    this.#seen = new BoundedMap(MAX_PROCESSES, (_, seen) => seen.folder[Symbol.dispose]());
    this.#trustedNamespaces = this.#namespacesOf(["self", "1"]);
  }

  inspect(record: ConnectionRecord): InspectedProcess {
    const key = keyOf(record);
    let seen = this.#seen.get(key);
    if (seen !== undefined && !this.#stands(seen)) {
      this.#seen.delete(key);
      seen.folder[Symbol.dispose]();
      seen = undefined;
    }
    if (seen === undefined) {
      const read = this.#read(record);
      if (!("folder" in read)) return unreachable(read.doubt, this.#redact);
      seen = read;
      this.#seen.set(key, seen);
    }
    const { exe, commandLine } = seen;
    return { exe, commandLine, check: this.#checker(record, key, seen) };
  }

  /** Whether what was read earlier still holds. */
  #stands(seen: Seen): boolean {
    return this.#clock.monotonicMs() - seen.provenAtMs <= PROOF_TTL_MS &&
      this.#state(seen.folder, seen.file) === "same";
  }

  /**
   * Asks the process again, once for each request: everything that stays the same is worked out beforehand. A reference
   * that was dropped meanwhile is replaced by the one that is held now, or opened again.
   */
  #checker(record: ConnectionRecord, key: string, seen: Seen): InspectedProcess["check"] {
    const { file } = seen;
    let held = seen;
    return () => {
      if (!held.folder.isOpen) held = this.#seen.get(key) ?? held;
      if (held.folder.isOpen) return this.#state(held.folder, file);
      const folder = this.#open(record);
      if (folder === null) return "gone";
      using opened = folder;
      return this.#state(opened, file);
    };
  }

  #state(folder: Fd, file: RecordedFile): "same" | "changed" | "gone" {
    const isFile = this.#libc.isFileAt(folder, EXE, file);
    if (typeof isFile === "number") return "gone";
    return isFile || file.inode === 0n ? "same" : "changed";
  }

  /** A reference to the recorded process; `null` when it is gone or the id is another process's by now. */
  #open(record: ConnectionRecord): Fd | null {
    let folder: Fd;
    try {
      folder = this.#libc.openFolder(`/proc/${record.process.tgid}`);
    } catch {
      return null;
    }
    const stat = this.#libc.readAt(folder, STAT, new Uint8Array(STAT_BYTES));
    const ticks = typeof stat === "number" ? null : startTicksOf(stat);
    const { startedAtBootNs } = record.process;
    if (ticks !== null && (startedAtBootNs === 0n || startsAtTick(startedAtBootNs, ticks))) {
      return folder;
    }
    folder[Symbol.dispose]();
    return null;
  }

  #read(record: ConnectionRecord): Seen | { readonly doubt: ExeDoubt } {
    const folder = this.#open(record);
    if (folder === null) return { doubt: "process-gone" };
    const commandLine = this.#commandLine(folder);
    const file = recordedFile(record);
    return {
      folder,
      file,
      exe: this.#prove(folder, file),
      commandLine,
      provenAtMs: this.#clock.monotonicMs(),
    };
  }

  /** Proves the path of the recorded executable, or says why it cannot. */
  #prove(folder: Fd, recorded: RecordedFile): ExeProof {
    const link = this.#libc.readLinkAt(folder, EXE, new Uint8Array(MAX_PATH_BYTES));
    if (typeof link === "number") return doubt("", "process-gone");
    const shownPath = new TextDecoder().decode(link);
    if (recorded.inode === 0n) return doubt(shownPath, "no-kernel-facts");
    const running = this.#libc.statAt(folder, EXE);
    if (typeof running === "number") return doubt(shownPath, "process-gone");
    if (running.inode !== recorded.inode || running.device !== recorded.device) {
      return doubt(shownPath, "executable-changed");
    }
    if (!isUtf8(link)) return { ...doubt(shownPath, "path-not-utf8"), pathHex: hexOf(link) };
    if (!this.#inTrustedNamespaces(folder)) return doubt(shownPath, "foreign-namespace");
    const resolved = statOrNull(shownPath);
    if (resolved === null) return doubt(shownPath, "path-not-resolvable");
    if (BigInt(resolved.dev) !== running.device || BigInt(resolved.ino ?? 0) !== running.inode) {
      return doubt(shownPath, "path-other-file");
    }
    if (!onlyRootWrites(shownPath)) return doubt(shownPath, "file-writable-by-others");
    return { kind: "verified", path: shownPath };
  }

  #commandLine(folder: Fd): RedactedText {
    const bytes = this.#libc.readAt(folder, CMDLINE, this.#buffer);
    if (typeof bytes === "number") return this.#redact(UNKNOWN_COMMAND_LINE);
    const shown = new TextDecoder().decode(bytes).split("\0").filter((part) => part !== "");
    return this.#redact(shown.slice(0, MAX_ARGUMENTS).join(" "));
  }

  #inTrustedNamespaces(folder: Fd): boolean {
    return [MOUNT_NAMESPACE, USER_NAMESPACE].every((path) => {
      const namespace = this.#libc.statAt(folder, path);
      return typeof namespace !== "number" && this.#trustedNamespaces.has(nameOf(namespace));
    });
  }

  /** The mount and user namespaces of the agent and of the system's first process. */
  #namespacesOf(processes: readonly string[]): Set<string> {
    const names = new Set<string>();
    for (const process of processes) {
      try {
        using folder = this.#libc.openFolder(`/proc/${process}`);
        for (const path of [MOUNT_NAMESPACE, USER_NAMESPACE]) {
          const namespace = this.#libc.statAt(folder, path);
          if (typeof namespace !== "number") names.add(nameOf(namespace));
        }
      } catch {
        // Where the first process cannot be seen the agent's own namespaces are the trusted ones.
      }
    }
    return names;
  }

  /** Closes all references. */
  [Symbol.dispose](): void {
    for (const [key, seen] of [...this.#seen.entries()]) {
      this.#seen.delete(key);
      seen.folder[Symbol.dispose]();
    }
  }
}

function keyOf(record: ConnectionRecord): string {
  const { process, exe } = record;
  return `${process.tgid}.${process.startedAtBootNs}.${exe.device}.${exe.inode}`;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function doubt(
  shownPath: string,
  reason: ExeDoubt,
): ExeProof & { readonly kind: "unverified" } {
  return { kind: "unverified", shownPath, doubt: reason };
}

function unreachable(reason: ExeDoubt, redact: (text: string) => RedactedText): InspectedProcess {
  return { exe: doubt("", reason), commandLine: redact(UNKNOWN_COMMAND_LINE), check: () => "gone" };
}

function nameOf(namespace: FileStatus): string {
  return `${namespace.device}:${namespace.inode}`;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

type RecordedFile = Pick<FileStatus, "device" | "inode">;

/** The file that the kernel noted, as `stat` shows it. The kernel's device number is major << 20 | minor; user space folds it differently. */
function recordedFile(record: ConnectionRecord): RecordedFile {
  return { device: userSpaceDevice(record.exe.device), inode: record.exe.inode };
}

/** A device number of the kernel as `stat` shows it. Source: new_encode_dev, linux/kdev_t.h. */
export function userSpaceDevice(kernelDevice: bigint): bigint {
  const major = kernelDevice >> 20n;
  const minor = kernelDevice & 0xfffffn;
  return (minor & 0xffn) | (major << 8n) | ((minor & ~0xffn) << 12n);
}

function statOrNull(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch {
    return null;
  }
}

/** Whether the file and every folder above it belong to root and nobody else may write them. */
function onlyRootWrites(path: string): boolean {
  for (let at = path;; at = at.slice(0, at.lastIndexOf("/"))) {
    const status = statOrNull(at === "" ? "/" : at);
    if (status === null || status.uid !== 0) return false;
    if (((status.mode ?? 0o777) & GROUP_OR_OTHERS_MAY_WRITE) !== 0) return false;
    if (at === "") return true;
  }
}
