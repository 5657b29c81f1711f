import { splitTarget } from "../../domain/canonical/mod.ts";
import {
  decide,
  type EndpointPolicy,
  evaluate,
  type Ground,
  guardTarget,
  type Matching,
  type Question,
  type Refusal,
  type RefusalReason,
  type RuleVerdict,
} from "../../domain/policy/mod.ts";
import type { EndpointName } from "../../domain/wire/mod.ts";

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
  const guarded = guardTarget(question.method, splitTarget(question.target), endpoint);
  if ("reason" in guarded) {
    const rules = policy.kind === "rules" ? evaluate(policy.rules, question, matching) : null;
    return { verdict: "deny", reason: guarded.reason, refusal: guarded, rules };
  }
  const { target, path, query } = guarded.target;
  const forwarded: Question = { ...question, target, path, query };
  const outcome = decide(endpoint, forwarded, policy, matching);
  const rules = outcome.rules ??
    (policy.kind === "rules" ? evaluate(policy.rules, forwarded, matching) : null);
  if (outcome.verdict === "allow") {
    return { verdict: "allow", reason: outcome.ground, refusal: null, rules };
  }
  const { refusal } = outcome;
  return { verdict: outcome.verdict, reason: refusal.reason, refusal, rules };
}
