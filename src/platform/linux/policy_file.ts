import type { PolicyStore } from "../../agent/key_keeper/mod.ts";
import { StateFile } from "./state_file.ts";

/** Name of the file beside the keys. */
export const POLICY_FILE_NAME = "policy.kept";
/** Above the largest document that the host may send. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The last policy as a file in the key folder. */
export class PolicyFile implements PolicyStore {
  readonly #file: StateFile;

  /** @param folder the key folder; created when missing */
  constructor(folder: string, ownerUid: number = Deno.uid() ?? 0) {
    this.#file = new StateFile({
      folder,
      name: POLICY_FILE_NAME,
      maxBytes: MAX_BYTES,
      ownerUid,
      what: "the kept policy",
      readCode: "POLICY_STORE_READ",
      writeCode: "POLICY_STORE_WRITE",
    });
  }

  read(): Promise<string | null> {
    return this.#file.read((text) => text);
  }

  write(text: string): Promise<void> {
    return this.#file.write(text);
  }

  clear(): Promise<void> {
    return this.#file.clear();
  }
}
