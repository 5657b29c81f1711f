import type { Caller } from "../identity/caller.ts";
import type { ClientRequest } from "../wire/client_request.ts";
import type { EndpointName, SocketAddress } from "../wire/endpoints.ts";
import { decide, type Outcome, type Signing } from "./decide.ts";
import { claimsOf, type Question, type RuleVerdict } from "./question.ts";
import type { Refusal } from "./refusal.ts";
import type { EndpointPolicy, PolicySnapshot } from "./snapshot.ts";

/** Who wants what, where. */
export interface Subject {
  readonly request: ClientRequest;
  readonly endpoint: EndpointName;
  /** What the caller dialled; the only thing that decides where the request goes. */
  readonly destination: SocketAddress;
  readonly caller: Caller;
}

/** The rule that granted. */
export interface RuleMatch {
  readonly privilege: string;
  readonly identity: string;
}

/** Why a request may pass. */
export type Grounds =
  | {
    readonly kind: "allowed";
    readonly by: RuleMatch | "default-access" | "disabled" | "built-in" | "exempt-elevated";
  }
  /** Forwarded and recorded as one that Enforce would refuse. */
  | { readonly kind: "audit-only"; readonly wouldRefuse: Refusal };

/** What the rules said about a request, for its record. */
export interface VerdictRecord {
  readonly ruleSetId: string;
  /** Privilege that granted, or the first one that matched and refused. */
  readonly privilege: string | null;
  readonly identity: string | null;
  readonly compat: RuleVerdict["compat"];
  readonly canonical: RuleVerdict["canonical"];
  /** Whether the two matchers differ; a code is a denial. Source: authorization 3.14. */
  readonly divergence: boolean;
}

class PermittedRequest<S extends Signing> {
  /** Makes the class nominal: only this file can make a permit. */
  readonly #issued = true;

  constructor(
    readonly subject: Subject,
    readonly signing: S,
    readonly grounds: Grounds,
    /** Epoch of the policy that decided. */
    readonly epoch: number,
    /** `null` when no rules were asked. */
    readonly verdict: VerdictRecord | null,
  ) {}

  static owns(value: object): value is PermittedRequest<Signing> {
    return #issued in value;
  }
}

/** A permit. It carries its request, so that the two cannot be mixed up. */
export type Permitted<S extends Signing = Signing> = S extends Signing ? PermittedRequest<S>
  : never;

/** The outcome for one request. */
export type Decision =
  | { readonly kind: "permit"; readonly permitted: Permitted }
  | {
    readonly kind: "refuse";
    readonly refusal: Refusal;
    readonly epoch: number;
    /** `null` when no rules were asked. */
    readonly verdict: VerdictRecord | null;
  };

/** Whether `value` is a permit that `authorize()` issued. */
export function isPermitted(value: object): value is Permitted {
  return PermittedRequest.owns(value);
}

/**
 * Decides one request by one snapshot, as `decide()` says. The only maker of permits.
 *
 * Built-in defaults: IMDS is open to everybody, WireServer and HostGAPlugin to callers with uid 0. Rules can only narrow that.
 * Enforce refuses what is forbidden; Audit forwards it and records the verdict (DEVIATION D-02). Disabled endpoints are not
 * redirected, so their requests arrive only while a mode changes: they are treated like Audit.
 * Source: authorization 2.4 to 2.6.
 */
export function authorize(subject: Subject, policy: PolicySnapshot): Decision {
  const { request, endpoint, caller } = subject;
  const installed = policy.endpoints[endpoint];
  const question: Question = {
    method: request.method,
    target: request.target,
    path: request.path,
    query: request.query,
    claims: claimsOf(caller),
  };
  const outcome = decide(endpoint, question, installed, policy.matching);
  const verdict = recordOf(outcome.rules, installed);
  if (outcome.verdict === "deny") {
    return { kind: "refuse", refusal: outcome.refusal, epoch: policy.epoch, verdict };
  }
  const grounds = groundsOf(outcome);
  const permitted: Permitted = outcome.signing === "required"
    ? new PermittedRequest(subject, "required", grounds, policy.epoch, verdict)
    : new PermittedRequest(subject, "exempt", grounds, policy.epoch, verdict);
  return { kind: "permit", permitted };
}

const DEFAULT_ACCESS: Grounds = Object.freeze({ kind: "allowed", by: "default-access" });
const DISABLED: Grounds = Object.freeze({ kind: "allowed", by: "disabled" });
const BUILT_IN: Grounds = Object.freeze({ kind: "allowed", by: "built-in" });
const EXEMPT_ELEVATED: Grounds = Object.freeze({ kind: "allowed", by: "exempt-elevated" });

function groundsOf(outcome: Outcome): Grounds {
  if (outcome.verdict !== "allow") return { kind: "audit-only", wouldRefuse: outcome.refusal };
  switch (outcome.ground) {
    case "built-in":
      return BUILT_IN;
    case "exempt-elevated":
      return EXEMPT_ELEVATED;
    case "default-access":
      return DEFAULT_ACCESS;
    case "disabled":
      return DISABLED;
    case "rule": {
      const { privilege, identity } = outcome.rules!;
      return { kind: "allowed", by: { privilege: privilege!, identity: identity! } };
    }
  }
}

function recordOf(rules: RuleVerdict | null, policy: EndpointPolicy): VerdictRecord | null {
  if (rules === null || policy.kind !== "rules") return null;
  const { privilege, identity, compat, canonical } = rules;
  const ruleSetId = policy.rules.id;
  const divergence = (compat === "allow") !== (canonical === "allow");
  return { ruleSetId, privilege, identity, compat, canonical, divergence };
}
