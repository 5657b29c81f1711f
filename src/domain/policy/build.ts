import { createHash } from "node:crypto";
import { canonicalJson } from "../wire/canonical_json.ts";
import { endpointModes } from "../wire/channel_state.ts";
import type { AuthorizationItem, KeyStatus } from "../wire/key_status.ts";
import type { JsonValue } from "../wire/strict_json.ts";
import type { EndpointPolicy, Mode, PolicySnapshot } from "./snapshot.ts";

/** A policy that is not installed yet: a snapshot without its epoch. */
export type PolicyContent = Omit<PolicySnapshot, "epoch">;

/**
 * The policy that a status document asks for.
 * DEVIATION D-08: an item that the built-in defaults cannot stand for closes its endpoint: nothing is ever granted because a
 * rule could not be evaluated. DEVIATION D-04: HostGAPlugin gets the policy of WireServer. DEVIATION D-05: the digest covers the whole items and
 * the modes, so that every change is noticed.
 * Source: authorization 1.6, 1.7 and 7.2, wire-protocol 3.4 to 3.6.
 */
export function buildPolicy(status: KeyStatus): PolicyContent {
  const modes = endpointModes(status);
  const rules = status.authorizationRules;
  const wireserver = endpointPolicy(modes.wireserver, rules?.wireserver ?? null);
  const imds = endpointPolicy(modes.imds, rules?.imds ?? null);
  const effective = new Map<string, JsonValue>([
    ["modes", new Map(Object.entries(modes))],
    ["wireserver", rules?.wireserver?.source ?? null],
    ["imds", rules?.imds?.source ?? null],
  ]);
  return content(effective, { wireserver, imds, hostga: wireserver });
}

/** The policy before the host was heard: the built-in defaults, enforced. Source: authorization W-08. */
export function initialPolicy(): PolicyContent {
  const policy: EndpointPolicy = Object.freeze({ kind: "built-in", mode: "enforce" });
  return content("initial", { wireserver: policy, imds: policy, hostga: policy });
}

/**
 * The snapshot to publish: `current` itself when the content is the same, else the new content with the next epoch.
 * Source: authorization 1.7 and 9.4.
 */
export function installPolicy(current: PolicySnapshot, next: PolicyContent): PolicySnapshot {
  return next.digest === current.digest ? current : firstPolicy(next, current.epoch + 1);
}

/** The first snapshot of a process; `epoch` goes on from the last one of the process before. */
export function firstPolicy(next: PolicyContent, epoch: number): PolicySnapshot {
  const { digest, matching, endpoints } = next;
  return Object.freeze({ epoch, digest, matching, endpoints });
}

function content(effective: JsonValue, endpoints: PolicySnapshot["endpoints"]): PolicyContent {
  const digest = createHash("sha256").update(canonicalJson(effective)).digest("hex");
  return Object.freeze({ digest, matching: "shadow", endpoints: Object.freeze(endpoints) });
}

function endpointPolicy(mode: Mode, item: AuthorizationItem | null): EndpointPolicy {
  if (item === null) return Object.freeze({ kind: "built-in", mode });
  const reason = closedReason(item);
  const effective = mode === "disabled" ? mode : stricter(mode, item.mode);
  return Object.freeze(
    reason === null
      ? { kind: "built-in", mode: effective }
      : { kind: "closed", mode: effective, reason },
  );
}

/** Why the built-in defaults cannot stand for this item; `null` when they can. */
function closedReason(item: AuthorizationItem): string | null {
  // Without a privilege no rule can match, and the default access alone decides. Source: authorization 3.4 and W-08.
  if ((item.rules?.privileges ?? []).length > 0) {
    return "the host sent custom rules, which this release cannot evaluate";
  }
  return item.defaultAccess === "deny" ? "the host's rules deny everything by default" : null;
}

/** DEVIATION D-17: a document of version 1.0 may carry items whose mode differs from the channel's: the stricter one counts. */
function stricter(left: Mode, right: Mode): Mode {
  return left === "enforce" || right === "enforce" ? "enforce" : left;
}
