import type { EpochStore } from "../../agent/key_keeper/mod.ts";
import { StateFile } from "./state_file.ts";

/** Name of the file beside the keys. */
export const EPOCH_FILE_NAME = "policy.epoch";
/** At most 15 digits: exact as a number. */
const CONTENT = /^([1-9][0-9]{0,14})\n$/;

/** The last policy epoch as a small file in the key folder. */
export class EpochFile implements EpochStore {
  readonly #file: StateFile;

  /** @param folder the key folder; created when missing */
  constructor(folder: string, ownerUid: number = Deno.uid() ?? 0) {
    this.#file = new StateFile({
      folder,
      name: EPOCH_FILE_NAME,
      maxBytes: 64,
      ownerUid,
      what: "the policy epoch",
      readCode: "EPOCH_STORE_READ",
      writeCode: "EPOCH_STORE_WRITE",
    });
  }

  read(): Promise<number | null> {
    return this.#file.read((text) => {
      const digits = CONTENT.exec(text)?.[1];
      if (digits === undefined) throw new Error("is no number");
      return Number(digits);
    });
  }

  write(epoch: number): Promise<void> {
    return this.#file.write(`${epoch}\n`);
  }

  clear(): Promise<void> {
    return this.#file.clear();
  }
}
