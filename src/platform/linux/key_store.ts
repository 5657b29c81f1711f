import { Buffer } from "node:buffer";
import type { KeyStage, KeyStore } from "../../agent/key_keeper/mod.ts";
import type { KeyGuid } from "../../domain/wire/mod.ts";
import { AgentError } from "../../runtime/errors.ts";
import { createPrivateFolder, describeFileError, replaceFile } from "../../runtime/files.ts";
import { isMissing, readOwnFile } from "../../runtime/own_file.ts";

/** How a Linux key store differs from the default. */
export interface LinuxKeyStoreOptions {
  /** User id that must own folder and files. The process's own unless told otherwise. */
  readonly ownerUid?: number;
  /** How many keys of each stage stay when old ones are removed. */
  readonly kept: Readonly<Record<KeyStage, number>>;
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const OTHERS = 0o077;
/** A key file has about 250 bytes. */
const MAX_FILE_BYTES = 65_536;
/** Names looked at in the key folder. */
const MAX_NAMES = 10_000;
const GUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
const NAMES: Readonly<Record<KeyStage, RegExp>> = Object.freeze({
  attested: new RegExp(`^(${GUID})\\.key$`),
  issued: new RegExp(`^(${GUID})\\.issued$`),
});
const SUFFIXES: Readonly<Record<KeyStage, string>> = Object.freeze({
  attested: ".key",
  issued: ".issued",
});

/**
 * Keys as files of a folder that is closed to everybody else. A file is written under a temporary name, 0600 from the moment
 * it exists, synced, and renamed; nothing is written or read through a link. DEVIATION D-55. Source: wire-protocol 4.3 and S-20, agent 3.4 and 3.5.
 */
export class LinuxKeyStore implements KeyStore {
  readonly #folder: string;
  readonly #ownerUid: number;
  readonly #kept: Readonly<Record<KeyStage, number>>;

  /** @param folder absolute path; created when missing */
  constructor(folder: string, options: LinuxKeyStoreOptions) {
    this.#folder = folder;
    this.#ownerUid = options.ownerUid ?? Deno.uid() ?? 0;
    this.#kept = options.kept;
  }

  async open(): Promise<void> {
    try {
      createPrivateFolder(this.#folder);
      // Fails without the right to give files away, which is no harm as long as the owner is right already.
      await Deno.chown(this.#folder, this.#ownerUid, null).catch(() => {});
      const found = await Deno.stat(this.#folder);
      if (!found.isDirectory) throw new Error("is no folder");
      if (found.uid !== this.#ownerUid) throw new Error(`belongs to user ${found.uid}`);
      if (((found.mode ?? OTHERS) & OTHERS) !== 0) await this.#close();
    } catch (cause) {
      throw storeError("KEY_STORE_WRITE", "prepare the key folder", this.#folder, cause);
    }
  }

  /** Closes the folder to others, unless it is one of the system's, named by mistake: they would lose what lies below it. */
  async #close(): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(this.#folder)) {
      if (!isDirectory) continue;
      throw new Error(
        `is open to others and holds the folder \`${name}\`, so it is not for keys alone; ` +
          "set latchKeyFolder to a folder of its own, or close this one: chmod 0700",
      );
    }
    await Deno.chmod(this.#folder, FOLDER_MODE);
  }

  async read(guid: KeyGuid, stage: KeyStage): Promise<string | null> {
    const path = this.#path(guid, stage);
    try {
      const limits = {
        ownerUid: this.#ownerUid,
        forbiddenMode: OTHERS,
        maxBytes: MAX_FILE_BYTES,
      };
      return (await readOwnFile(path, limits)).bytes.toString("utf8");
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw storeError("KEY_STORE_READ", "read the key file", path, cause);
    }
  }

  async write(guid: KeyGuid, text: string): Promise<void> {
    const path = this.#path(guid, "issued");
    try {
      const bytes = Uint8Array.from(Buffer.from(text));
      await replaceFile(path, `${this.#folder}/${guid}.tmp`, bytes, FILE_MODE);
      await this.#syncFolder();
    } catch (cause) {
      throw storeError("KEY_STORE_WRITE", "write the key file", path, cause);
    }
  }

  async promote(guid: KeyGuid): Promise<void> {
    const path = this.#path(guid, "attested");
    try {
      await Deno.rename(this.#path(guid, "issued"), path);
      await this.#syncFolder();
    } catch (cause) {
      throw storeError("KEY_STORE_WRITE", "name the attested key file", path, cause);
    }
  }

  async storedWallMs(guid: KeyGuid): Promise<number | null> {
    try {
      return (await Deno.lstat(this.#path(guid, "attested"))).mtime?.getTime() ?? null;
    } catch {
      return null;
    }
  }

  async prune(keep: readonly KeyGuid[]): Promise<number> {
    try {
      const kept = new Set<string>(keep);
      let removed = 0;
      for (const stage of ["attested", "issued"] as const) {
        const found = await this.#list(stage);
        for (const { path, guid } of found.slice(this.#kept[stage])) {
          if (kept.has(guid)) continue;
          await Deno.remove(path);
          removed++;
        }
      }
      return removed;
    } catch (cause) {
      throw storeError("KEY_STORE_WRITE", "remove old key files", this.#folder, cause);
    }
  }

  /** Key files of a stage, newest first. Files of other names are none of ours. */
  async #list(stage: KeyStage): Promise<{ path: string; guid: string; modifiedMs: number }[]> {
    const found = [];
    let names = 0;
    for await (const entry of Deno.readDir(this.#folder)) {
      if (++names > MAX_NAMES) break;
      const guid = NAMES[stage].exec(entry.name)?.[1];
      if (guid === undefined || !entry.isFile) continue;
      const path = `${this.#folder}/${entry.name}`;
      const { mtime } = await Deno.lstat(path);
      found.push({ path, guid, modifiedMs: mtime?.getTime() ?? 0 });
    }
    return found.sort((left, right) => right.modifiedMs - left.modifiedMs);
  }

  /** Makes a rename survive a power cut. */
  async #syncFolder(): Promise<void> {
    using folder = await Deno.open(this.#folder);
    await folder.sync();
  }

  #path(guid: KeyGuid, stage: KeyStage): string {
    return `${this.#folder}/${guid}${SUFFIXES[stage]}`;
  }
}

function storeError(
  code: "KEY_STORE_READ" | "KEY_STORE_WRITE",
  what: string,
  path: string,
  cause: unknown,
): AgentError {
  return new AgentError(code, `${what} \`${path}\`: ${describeFileError(cause)}`, { cause });
}
