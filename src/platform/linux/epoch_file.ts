import type { EpochStore } from "../../agent/key_keeper/mod.ts";
import { AgentError, type ErrorCode } from "../../runtime/errors.ts";
import { createPrivateFolder, describeFileError, replaceFile } from "../../runtime/files.ts";
import { isMissing, readOwnFile } from "./own_file.ts";

/** Name of the file beside the keys. */
export const EPOCH_FILE_NAME = "policy.epoch";
const FILE_MODE = 0o600;
const OTHERS = 0o077;
const MAX_BYTES = 64;
/** At most 15 digits: exact as a number. */
const CONTENT = /^([1-9][0-9]{0,14})\n$/;

/** The last policy epoch as a small file in the key folder: written under another name, synced, renamed. */
export class EpochFile implements EpochStore {
  readonly #folder: string;
  readonly #path: string;
  readonly #ownerUid: number;

  /** @param folder the key folder; created when missing */
  constructor(folder: string, ownerUid: number = Deno.uid() ?? 0) {
    this.#folder = folder;
    this.#path = `${folder}/${EPOCH_FILE_NAME}`;
    this.#ownerUid = ownerUid;
  }

  async read(): Promise<number | null> {
    try {
      const limits = { ownerUid: this.#ownerUid, forbiddenMode: OTHERS, maxBytes: MAX_BYTES };
      const { bytes } = await readOwnFile(this.#path, limits);
      const digits = CONTENT.exec(bytes.toString("latin1"))?.[1];
      if (digits === undefined) throw new Error("is no number");
      return Number(digits);
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw this.#error("EPOCH_STORE_READ", "read the policy epoch", cause);
    }
  }

  async write(epoch: number): Promise<void> {
    try {
      const content = new TextEncoder().encode(`${epoch}\n`);
      createPrivateFolder(this.#folder);
      await replaceFile(this.#path, `${this.#path}.tmp`, content, FILE_MODE);
      // Makes the rename survive a power cut.
      using folder = await Deno.open(this.#folder);
      await folder.sync();
    } catch (cause) {
      throw this.#error("EPOCH_STORE_WRITE", "keep the policy epoch", cause);
    }
  }

  async clear(): Promise<void> {
    try {
      await Deno.remove(this.#path);
    } catch (cause) {
      if (isMissing(cause)) return;
      throw this.#error("EPOCH_STORE_WRITE", "remove the policy epoch", cause);
    }
  }

  #error(code: ErrorCode, what: string, cause: unknown): AgentError {
    return new AgentError(code, `${what} \`${this.#path}\`: ${describeFileError(cause)}`, {
      cause,
    });
  }
}
