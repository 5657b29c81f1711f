import type { LatchedKey } from "../../domain/endorsement/mod.ts";
import {
  canonicalJsonPieces,
  channelState,
  isKeyGuid,
  isLatchedState,
  type KeyGuid,
  type KeyStatus,
  keyStatusDocument,
  parseKeyStatusSteps,
} from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Pace } from "../../runtime/slices.ts";

/** Keeps one text over a restart that nobody else may read or write. Implemented by the platform, and by a fake. */
export interface PolicyStore {
  /**
   * The text that was kept; `null` when there is none.
   * @throws AgentError POLICY_STORE_READ, also when it is not ours alone
   */
  read(): Promise<string | null>;
  /** Keeps the text, whole or not at all. @throws AgentError POLICY_STORE_WRITE */
  write(text: string): Promise<void>;
  /** Forgets it. @throws AgentError POLICY_STORE_WRITE */
  clear(): Promise<void>;
}

/** The last good word of the host, with the key that it was kept under. */
export interface KeptPolicy {
  readonly status: KeyStatus;
  readonly key: LatchedKey;
  /** When it was kept, wall milliseconds. */
  readonly keptMs: number;
}

export interface PolicyMemoryOptions {
  readonly store: PolicyStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pace: Pace;
  /** The key of that id that the host is known to have latched; `null` for none. */
  readonly attestedKey: (guid: KeyGuid) => Promise<LatchedKey | null>;
}

/** Nothing that the host's signatures are made over begins like this: those begin with a method in capitals. */
const PURPOSE = "policy kept over a restart";
const HEADER = /^1 ([1-9][0-9]{0,14}) ([0-9a-fA-F-]{36}) ([0-9]{1,15})$/;

/**
 * Remembers the last policy that the host gave and the agent installed, so that the next process has it before it has
 * heard the host.
 *
 * INVARIANT: what is recalled is what was installed last. It is sealed with the key that was in use, so it is of no use with
 * another one; it carries the number of the policy, which is on the disk before a policy is used, so an older one is known
 * to be old; and it counts only together with a key that the host has latched. In any doubt there is nothing to recall.
 */
export class PolicyMemory {
  readonly #options: PolicyMemoryOptions;
  #keptStatus: KeyStatus | null = null;
  #keptAs = "";
  #isForgotten = false;

  constructor(options: PolicyMemoryOptions) {
    this.#options = options;
  }

  /** What was kept, if it is the policy with that number; `null` when there is nothing that can be relied on. */
  async recall(lastEpoch: number | null): Promise<KeptPolicy | null> {
    try {
      const text = await this.#options.store.read();
      if (text === null) return null;
      const recalled = await this.#read(text, lastEpoch);
      if (typeof recalled !== "string") return recalled;
      this.#options.logger.warn("kept policy is not used", { cause: recalled });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const { code, message: cause } = error;
      this.#options.logger.warn("kept policy is not used", { code, cause });
    }
    return null;
  }

  /** Keeps what was installed. That it cannot be is a loss for the next start alone. */
  async keep(status: KeyStatus, key: LatchedKey, epoch: number): Promise<void> {
    const keptAs = `${epoch} ${key.guid}`;
    if (status === this.#keptStatus && keptAs === this.#keptAs) return;
    const { store, clock, pace } = this.#options;
    const header = `1 ${epoch} ${key.guid} ${Math.floor(clock.wallMs())}`;
    const sealed = `${header}\n${await pace(statusText(status))}`;
    const text = `${sealed}\n${seal(key, sealed)}\n`;
    this.#isForgotten = false;
    if (await this.#try("policy is not kept for the next start", () => store.write(text))) {
      this.#keptStatus = status;
      this.#keptAs = keptAs;
    }
  }

  /** Forgets what was kept: the host wants no key, so there is nothing to have before it was heard. */
  async forget(): Promise<void> {
    if (this.#isForgotten) return;
    this.#keptStatus = null;
    this.#isForgotten = await this.#try(
      "kept policy is not removed",
      () => this.#options.store.clear(),
    );
  }

  /** The kept policy, or why it does not count. */
  async #read(text: string, lastEpoch: number | null): Promise<KeptPolicy | string> {
    const { attestedKey, pace } = this.#options;
    const [header = "", document = "", mac = "", ...rest] = text.split("\n");
    const [, epoch, guid, kept] = HEADER.exec(header) ?? [];
    if (epoch === undefined || guid === undefined || !isKeyGuid(guid) || rest.join("") !== "") {
      return "it has another form";
    }
    if (Number(epoch) !== lastEpoch) return "it is not the last policy";
    const key = await attestedKey(guid);
    if (key === null) return "its key is not there";
    if (seal(key, `${header}\n${document}`) !== mac) return "its seal is broken";
    const status = await pace(parseKeyStatusSteps(document));
    if (!status.ok) return status.error.message;
    if (!isLatchedState(channelState(status.value))) return "it wants no key";
    return { status: status.value, key, keptMs: Number(kept) };
  }

  async #try(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#options.logger.warn(what, { code: error.code, cause: error.message });
      return false;
    }
  }
}

function seal(key: LatchedKey, text: string): string {
  return key.secret.mac(`${PURPOSE}\n${text}`);
}

function* statusText(status: KeyStatus): Generator<void, string> {
  let text = "";
  for (const piece of canonicalJsonPieces(keyStatusDocument(status))) {
    text += piece;
    yield;
  }
  return text;
}
