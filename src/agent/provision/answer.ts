import {
  type HeaderField,
  headerValue,
  NOTIFY_HEADER,
  type ProvisionAnswer,
  provisionErrorMessage,
  queryTick,
  TIME_TICK_HEADER,
} from "../../domain/wire/mod.ts";
import type { Readiness } from "./readiness.ts";

/** The part of the key keeper that a provision query touches. */
export interface PollControl {
  /** Whether the host wants a key to be held. */
  isLatchedState(): boolean;
  /** Asks for a poll of the host now. */
  notify(): void;
}

/** Answers `/provision`. Source: wire-protocol 10.2, agent 6.3. */
export class ProvisionEndpoint {
  readonly #readiness: Readiness;
  readonly #keeper: PollControl;

  constructor(readiness: Readiness, keeper: PollControl) {
    this.#readiness = readiness;
    this.#keeper = keeper;
  }

  /**
   * The answer to a query with these fields, which passed the metadata gate. For a VM whose key is latched "finished" is
   * durable; for one that is disabled the answer must be newer than the question, and the notify field is how to get it.
   * @param uid the real user id of whoever asks; `null` where the kernel does not know it, as before redirection is up
   */
  answer(headers: readonly HeaderField[], uid: number | null): ProvisionAnswer {
    const finishedTick = this.#readiness.finishedTick;
    const tick = queryTick(headerValue(headers, TIME_TICK_HEADER));
    // DEVIATION D-56: without a tick, or with one from before 1970, "newer" means nothing; being finished at all then counts. Source: S-15.
    const isNewer = tick > 0n && finishedTick >= tick;
    const isDurable = finishedTick > 0n && (tick <= 0n || this.#keeper.isLatchedState());
    const finished = isNewer || isDurable;
    if (!finished && headerValue(headers, NOTIFY_HEADER) !== null) this.#keeper.notify();
    const missing = this.#readiness.missing();
    // DEVIATION D-182: which part is late is everybody's business, why it is late that of root. Source: S-44, agent 13 item 12.
    const isStranger = uid !== null && uid !== 0;
    const told = isStranger ? missing.map(({ part }) => ({ part, message: NOT_READY })) : missing;
    return { finished, errorMessage: provisionErrorMessage(told) };
  }
}

const NOT_READY = "not ready; root is told why";
