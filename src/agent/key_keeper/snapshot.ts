import type { LatchedKey } from "../../domain/endorsement/secret_key.ts";
import type { PolicySnapshot } from "../../domain/policy/snapshot.ts";
import type { TargetModes } from "../redirector/redirector.ts";

/** The secure channel as the status document words it: `Unknown`, `disabled`, or the host's derived text. Source: wire-protocol 3.4. */
export type SecureChannelState = string;

/** Everything a request needs to know about the agent, of one moment. One writer (the key keeper), one assignment. */
export interface AgentSnapshot {
  readonly channel: SecureChannelState;
  readonly key: LatchedKey | null;
  readonly policy: PolicySnapshot;
  /**
   * What to redirect, the complete wanted state. `null`: not decided yet by this process; whoever owns the kernel programs
   * then leaves the targets as they are, so that a restart does not open a hole in what an earlier process left pinned.
   */
  readonly targets: TargetModes | null;
}
