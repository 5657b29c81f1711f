import type { LatchedKey } from "../../domain/endorsement/mod.ts";
import {
  DEFAULT_MATCHING,
  initialPolicy,
  type Matching,
  type PolicySnapshot,
  policySnapshot,
} from "../../domain/policy/mod.ts";
import { CHANNEL_UNKNOWN, type EndpointName } from "../../domain/wire/mod.ts";
import type { TargetModes } from "../redirector/mod.ts";

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

/** The snapshot of a process that has not heard the host yet. Its policy counts as one of its own, under `epoch`. */
export function initialSnapshot(
  epoch = 0,
  matching: Matching = DEFAULT_MATCHING,
): AgentSnapshot {
  return Object.freeze({
    channel: CHANNEL_UNKNOWN,
    key: null,
    policy: policySnapshot(initialPolicy(matching), epoch),
    targets: null,
  });
}

/**
 * Whether a permitted request that wants a signature may leave without one while no key is held.
 * Not before the host was heard, and not to an enforced endpoint: the host would refuse it there, and nothing that the
 * kernel sent to the agent for signing leaves unsigned. Such a request is answered with 503 instead.
 * DEVIATION D-61: others forward it.
 * Callers find themselves in this place only after a restart, when the kernel still redirects for the process before.
 */
export function mayGoUnsigned(snapshot: AgentSnapshot, endpoint: EndpointName): boolean {
  return snapshot.channel !== CHANNEL_UNKNOWN &&
    snapshot.policy.endpoints[endpoint].mode !== "enforce";
}
