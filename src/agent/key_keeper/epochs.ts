import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";

/** Keeps one number over a restart. Implemented by the platform, and by a fake; one writer. */
export interface EpochStore {
  /**
   * The number that was kept; `null` when there is none.
   * @throws AgentError EPOCH_STORE_READ, also when what is kept is no number or not ours alone
   */
  read(): Promise<number | null>;
  /**
   * Keeps the number, durably: it survives a power cut once this returns.
   * @throws AgentError EPOCH_STORE_WRITE
   */
  write(epoch: number): Promise<void>;
  /**
   * Forgets what is kept, so that nobody takes it for the last one.
   * @throws AgentError EPOCH_STORE_WRITE
   */
  clear(): Promise<void>;
}

/**
 * Numbers the installed policies. INVARIANT: no number is given out twice, and none below an earlier one, over restarts too.
 *
 * A number is on the disk before it is used. Where the disk does not have the last one (lost, damaged, not to be written),
 * numbers go on from the millisecond since 1970: policies are installed less often than that, so nothing that went before
 * can be above it as long as the machine's clock is right.
 * Source: authorization 1.7 and 9.4.
 */
export class Epochs {
  readonly #store: EpochStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #last = 0;
  #found: number | null = null;

  constructor(store: EpochStore, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * The number of the policy before the host was heard, to be called once. It is not kept: a process that ends before it
   * installs anything gives it to the same policy again.
   */
  async first(): Promise<number> {
    let kept: number | null = null;
    try {
      kept = await this.#store.read();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#logger.warn("last policy epoch is lost", { code: error.code, cause: error.message });
    }
    this.#found = kept;
    this.#last = kept === null ? this.#floor() : kept + 1;
    return this.#last;
  }

  /** The number of the last policy of the process before; `null` when that is not known, or before `first`. */
  get found(): number | null {
    return this.#found;
  }

  /** The number of the next policy, kept before it is returned if the disk lets it. */
  async next(): Promise<number> {
    const epoch = this.#last + 1;
    try {
      await this.#store.write(epoch);
      this.#last = epoch;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const { code, message: cause } = error;
      this.#logger.error("policy epoch is not kept", { epoch, code, cause });
      this.#last = Math.max(epoch, this.#floor());
      await this.#clear();
    }
    return this.#last;
  }

  /** What is kept is behind now. On a full disk a file can still be removed. */
  async #clear(): Promise<void> {
    try {
      await this.#store.clear();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#logger.warn("old policy epoch stays", { code: error.code, cause: error.message });
    }
  }

  #floor(): number {
    return Math.max(1, Math.floor(this.#clock.wallMs()));
  }
}
