import {
  checkTarget,
  classifyAuthority,
  isTraversal,
  namesOtherDestination,
  splitTarget,
} from "../../domain/canonical/mod.ts";
import {
  decide,
  type EndpointPolicy,
  evaluate,
  type Ground,
  type Matching,
  type Question,
  type Refusal,
  type RefusalReason,
  type RuleVerdict,
} from "../../domain/policy/mod.ts";
import { type EndpointName, isMethod } from "../../domain/wire/mod.ts";

/** What becomes of one request, guard rails included. */
export interface Judgement {
  /** `flag`: forwarded, and recorded as one that Enforce would refuse. */
  readonly verdict: "allow" | "flag" | "deny";
  readonly reason: Ground | RefusalReason;
  /** Why it is refused; `null` where it is allowed. */
  readonly refusal: Refusal | null;
  /** What the rules say, asked also where the decision did not need them; `null` when there are none. */
  readonly rules: RuleVerdict | null;
}

/**
 * What the agent would do with a request at an endpoint: the guards that need neither caller nor policy, then `decide()`. The
 * guards hold in every mode. Source: authorization 2.2 to 2.6.
 */
export function judge(
  endpoint: EndpointName,
  question: Question,
  policy: EndpointPolicy,
  matching: Matching,
): Judgement {
  const outcome = decide(endpoint, question, policy, matching);
  const rules = outcome.rules ??
    (policy.kind === "rules" ? evaluate(policy.rules, question, matching) : null);
  const guard = guardRefusal(endpoint, question);
  if (guard !== null) return { verdict: "deny", reason: guard.reason, refusal: guard, rules };
  if (outcome.verdict === "allow") {
    return { verdict: "allow", reason: outcome.ground, refusal: null, rules };
  }
  const { refusal } = outcome;
  return { verdict: outcome.verdict, reason: refusal.reason, refusal, rules };
}

/** Why a request gets no further than the listener; `null` when it does. Source: wire-protocol 9.2. */
export function guardRefusal(
  endpoint: EndpointName,
  { method, target }: Pick<Question, "method" | "target">,
): Refusal | null {
  if (!isMethod(method)) return refused(405, "method-not-allowed", "the method is not served");
  const parts = splitTarget(target);
  const checked = checkTarget(parts);
  if (!checked.ok) {
    return checked.error === "TARGET_TOO_LONG"
      ? refused(414, "bad-request", "the target is too long")
      : refused(400, "bad-request", "the target has forbidden bytes, or none");
  }
  if (parts.form === "absolute") {
    const named = classifyAuthority(parts.authority);
    if (!named.ok || namesOtherDestination(named.value, endpoint)) {
      return refused(403, "ambiguous-target", "the target names another authority than Host");
    }
  } else if (parts.form !== "origin" || parts.path === "/*") {
    return refused(403, "ambiguous-target", "the target is no path");
  }
  return isTraversal(parts.path)
    ? refused(403, "path-traversal", "the path has `//` or `..`")
    : null;
}

function refused(status: number, reason: RefusalReason, detail: string): Refusal {
  return { status, reason, detail };
}
