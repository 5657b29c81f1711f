import type { Account, ExeProof, RedactedText } from "../../domain/identity/caller.ts";
import type { ConnectionRecord } from "../../domain/identity/connection_record.ts";

/** What was read about a process, held so that the same process can be asked again. */
export interface InspectedProcess {
  readonly exe: ExeProof;
  readonly commandLine: RedactedText;
  /**
   * Whether the recorded process still runs the executable that was proven. One system call.
   * `same`: yes. `changed`: alive, but it runs another file. `gone`: it ended.
   */
  check(): "same" | "changed" | "gone";
}

/** Reads the facts of processes. Implementations cache by process and executable, bounded. */
export interface Inspector {
  inspect(record: ConnectionRecord): InspectedProcess;
}

/** Looks up user names and groups. Implementations cache with an expiry. */
export interface Accounts {
  /** The account of a real user id, from the cache when it is fresh; `null` when the user is unknown or the look-up failed. */
  lookUp(uid: number): Account | null | Promise<Account | null>;
}
