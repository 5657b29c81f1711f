import { isSignatureExempt } from "../canonical/signature_exempt.ts";
import type { Caller } from "../identity/caller.ts";
import type { ClientRequest } from "../wire/client_request.ts";
import type { EndpointName, SocketAddress } from "../wire/endpoints.ts";
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

/** Why a request may pass. */
export type Grounds =
  | { readonly kind: "allowed"; readonly by: "built-in" | "exempt-elevated" }
  /** Forwarded and recorded as one that Enforce would refuse. */
  | { readonly kind: "audit-only"; readonly wouldRefuse: Refusal };

/** Whether a request carries a signature: a property of method, target and endpoint, decided here and nowhere else. */
export type Signing = "required" | "exempt";

class PermittedRequest<S extends Signing> {
  /** Makes the class nominal: only this file can make a permit. */
  readonly #issued = true;

  constructor(
    readonly subject: Subject,
    readonly signing: S,
    readonly grounds: Grounds,
    /** Epoch of the policy that decided. */
    readonly epoch: number,
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
  | { readonly kind: "refuse"; readonly refusal: Refusal; readonly epoch: number };

/** Whether `value` is a permit that `authorize()` issued. */
export function isPermitted(value: object): value is Permitted {
  return PermittedRequest.owns(value);
}

/**
 * Decides one request by one snapshot. The only maker of permits.
 *
 * Built-in defaults: IMDS is open to everybody, WireServer and HostGAPlugin to callers with uid 0.
 * Enforce refuses what they forbid; Audit forwards it and records the verdict (DEVIATION D-02). Disabled endpoints are not
 * redirected, so their requests arrive only while a mode changes: they are treated like Audit.
 * Source: authorization 2.4 to 2.6.
 */
export function authorize(subject: Subject, policy: PolicySnapshot): Decision {
  const { request, endpoint, caller } = subject;
  const exempt = isSignatureExempt(request.method, request.target, endpoint);
  if (exempt && caller.elevated) {
    return permit(subject, "exempt", EXEMPT_ELEVATED, policy.epoch);
  }
  const signing = exempt ? "exempt" : "required";
  const rule = policy.endpoints[endpoint];
  const refusal = objection(subject, rule);
  if (refusal === null) return permit(subject, signing, BUILT_IN, policy.epoch);
  if (rule.mode === "enforce") return { kind: "refuse", refusal, epoch: policy.epoch };
  return permit(subject, signing, { kind: "audit-only", wouldRefuse: refusal }, policy.epoch);
}

const BUILT_IN: Grounds = Object.freeze({ kind: "allowed", by: "built-in" });
const EXEMPT_ELEVATED: Grounds = Object.freeze({ kind: "allowed", by: "exempt-elevated" });

function permit(subject: Subject, signing: Signing, grounds: Grounds, epoch: number): Decision {
  const permitted: Permitted = signing === "required"
    ? new PermittedRequest(subject, "required", grounds, epoch)
    : new PermittedRequest(subject, "exempt", grounds, epoch);
  return { kind: "permit", permitted };
}

/** What the policy of the endpoint has against the request; `null` when nothing. */
function objection(subject: Subject, rule: EndpointPolicy): Refusal | null {
  const { endpoint, caller } = subject;
  if (endpoint !== "imds" && !caller.elevated) {
    return {
      status: 403,
      reason: "not-elevated",
      detail: `uid ${caller.record.uid} may not use ${endpoint}, only root may`,
    };
  }
  if (rule.kind === "closed") {
    return { status: 403, reason: "policy-closed", detail: rule.reason };
  }
  return null;
}
