import type { PolicyStore } from "../../agent/key_keeper/mod.ts";
import { AgentError, type ErrorCode } from "../../runtime/errors.ts";
import { createPrivateFolder, describeFileError, replaceFile } from "../../runtime/files.ts";
import { isMissing, readOwnFile } from "./own_file.ts";

/** Name of the file beside the keys. */
export const POLICY_FILE_NAME = "policy.kept";
const FILE_MODE = 0o600;
const OTHERS = 0o077;
/** Above the largest document that the host may send. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The last policy as a file in the key folder: written under another name, synced, renamed. */
export class PolicyFile implements PolicyStore {
  readonly #folder: string;
  readonly #path: string;
  readonly #ownerUid: number;

  /** @param folder the key folder; created when missing */
  constructor(folder: string, ownerUid: number = Deno.uid() ?? 0) {
    this.#folder = folder;
    this.#path = `${folder}/${POLICY_FILE_NAME}`;
    this.#ownerUid = ownerUid;
  }

  async read(): Promise<string | null> {
    try {
      const limits = { ownerUid: this.#ownerUid, forbiddenMode: OTHERS, maxBytes: MAX_BYTES };
      return (await readOwnFile(this.#path, limits)).bytes.toString("utf8");
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw this.#error("POLICY_STORE_READ", "read the kept policy", cause);
    }
  }

  async write(text: string): Promise<void> {
    try {
      createPrivateFolder(this.#folder);
      await replaceFile(
        this.#path,
        `${this.#path}.tmp`,
        new TextEncoder().encode(text),
        FILE_MODE,
      );
    } catch (cause) {
      throw this.#error("POLICY_STORE_WRITE", "keep the policy", cause);
    }
  }

  async clear(): Promise<void> {
    try {
      await Deno.remove(this.#path);
    } catch (cause) {
      if (isMissing(cause)) return;
      throw this.#error("POLICY_STORE_WRITE", "remove the kept policy", cause);
    }
  }

  #error(code: ErrorCode, what: string, cause: unknown): AgentError {
    return new AgentError(code, `${what} \`${this.#path}\`: ${describeFileError(cause)}`, {
      cause,
    });
  }
}
