import { AgentError, type ErrorCode } from "../../runtime/errors.ts";
import { createPrivateFolder, describeFileError, replaceFile } from "../../runtime/files.ts";
import { isMissing, readOwnFile } from "../../runtime/own_file.ts";

const FILE_MODE = 0o600;
const OTHERS = 0o077;

export interface StateFileOptions {
  /** Created when missing. */
  readonly folder: string;
  readonly name: string;
  readonly maxBytes: number;
  readonly ownerUid: number;
  /** What is in it, for messages. */
  readonly what: string;
  readonly readCode: ErrorCode;
  readonly writeCode: ErrorCode;
}

/**
 * A small file of the agent's own: written under another name, synced and renamed, and the folder synced, so that a power cut
 * leaves the old one or the new one. Read only when nobody else could have written it.
 */
export class StateFile {
  readonly #options: StateFileOptions;
  readonly #path: string;

  constructor(options: StateFileOptions) {
    this.#options = options;
    this.#path = `${options.folder}/${options.name}`;
  }

  /** What `decode` makes of the content; `null` when there is no file. @throws AgentError with the code for reading */
  async read<T>(decode: (text: string) => T): Promise<T | null> {
    const { ownerUid, maxBytes, readCode } = this.#options;
    try {
      const limits = { ownerUid, forbiddenMode: OTHERS, maxBytes };
      return decode((await readOwnFile(this.#path, limits)).bytes.toString("utf8"));
    } catch (cause) {
      if (isMissing(cause)) return null;
      throw this.#error(readCode, "read", cause);
    }
  }

  /** @throws AgentError with the code for writing */
  async write(text: string): Promise<void> {
    const { folder, writeCode } = this.#options;
    try {
      const content = new TextEncoder().encode(text);
      createPrivateFolder(folder);
      await replaceFile(this.#path, `${this.#path}.tmp`, content, FILE_MODE);
      using opened = await Deno.open(folder);
      await opened.sync();
    } catch (cause) {
      throw this.#error(writeCode, "keep", cause);
    }
  }

  /** Removes the file; none is no error. @throws AgentError with the code for writing */
  async clear(): Promise<void> {
    try {
      await Deno.remove(this.#path);
    } catch (cause) {
      if (isMissing(cause)) return;
      throw this.#error(this.#options.writeCode, "remove", cause);
    }
  }

  #error(code: ErrorCode, verb: string, cause: unknown): AgentError {
    const text = `${verb} ${this.#options.what} \`${this.#path}\`: ${describeFileError(cause)}`;
    return new AgentError(code, text, { cause });
  }
}
