import type { Attribution } from "../../src/domain/identity/connection_record.ts";
import type { Tally } from "./probe_protocol.ts";

const MAX_EXAMPLES = 5;

/**
 * Compares what a client says about its own connection with what the kernel recorded of it.
 * The claims: `uid gid tgid cookie address port stays`, where `stays` is 0 for a client that resets its connection or
 * had bound its source itself, so that its record may rightly be gone or contested when the request is looked at.
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
    if (attribution.kind === "unattributed") {
      this.#unattributed++;
      if (stays === "1") this.#lost++;
      return "none";
    }
    if (attribution.kind === "redirected") {
      const { record } = attribution;
      if (
        record.uid === Number(uid) && record.gid === Number(gid) &&
        record.process.tgid === Number(tgid) && record.cookie === BigInt(cookie ?? 0) &&
        record.source.address === address && record.source.port === Number(port)
      ) {
        this.#matched++;
        return "same";
      }
    }
    this.#mismatched++;
    if (this.#examples.length < MAX_EXAMPLES) {
      this.#examples.push(
        `${claims} was taken for ${
          attribution.kind === "redirected"
            ? `${attribution.record.uid} ${attribution.record.process.tgid} ${attribution.record.cookie}`
            : attribution.kind
        }`,
      );
    }
    return "other";
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
