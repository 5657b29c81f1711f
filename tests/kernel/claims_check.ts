import type { Attribution } from "../../src/domain/identity/connection_record.ts";
import type { Tally } from "./probe_protocol.ts";

const MAX_EXAMPLES = 5;
/** In place of the user id of a client that dialled the listener itself. */
const DIRECT = "direct";

/**
 * Compares what a client says about its own connection with what the kernel recorded of it.
 * The claims are `uid gid tgid cookie address port stays`. `stays` is 0 for a client that resets its connection or had
 * bound its source itself: its record may rightly be gone, contested or a tombstone by the time the request is looked at.
 */
export class ClaimsCheck {
  #requests = 0;
  #matched = 0;
  #mismatched = 0;
  #unattributed = 0;
  #lost = 0;
  readonly #examples: string[] = [];

  /** The answer to the client: `same`, `other` or `none`. */
  judge(claims: string, attribution: Attribution): string {
    this.#requests++;
    const [uid, gid, tgid, cookie, address, port, stays] = claims.split(" ");
    if (attribution.kind !== "redirected") {
      if (attribution.kind === "direct" && uid === DIRECT) {
        this.#matched++;
        return "same";
      }
      this.#unattributed++;
      if (stays === "1") this.#lose(`${claims} was ${attribution.kind}`);
      return "none";
    }
    const { record } = attribution;
    if (
      record.uid === Number(uid) && record.gid === Number(gid) &&
      record.process.tgid === Number(tgid) && record.cookie === BigInt(cookie ?? 0) &&
      record.source.address === address && record.source.port === Number(port)
    ) {
      this.#matched++;
      return "same";
    }
    this.#mismatched++;
    this.#example(`${claims} was taken for ${record.uid} ${record.process.tgid} ${record.cookie}`);
    return "other";
  }

  #lose(example: string): void {
    this.#lost++;
    this.#example(example);
  }

  #example(text: string): void {
    if (this.#examples.length < MAX_EXAMPLES) this.#examples.push(text);
  }

  tally(): Tally {
    return {
      requests: this.#requests,
      matched: this.#matched,
      mismatched: this.#mismatched,
      unattributed: this.#unattributed,
      lost: this.#lost,
      examples: this.#examples,
    };
  }
}
