import { CANON_MEANINGS, isSignatureExempt } from "../canonical/mod.ts";
import type { EndpointName } from "../wire/endpoints.ts";
import { evaluate } from "./evaluate.ts";
import type { Matching, Question, RuleVerdict } from "./question.ts";
import type { Refusal } from "./refusal.ts";
import type { EndpointPolicy } from "./snapshot.ts";

/** Whether a request carries a signature: a property of method, target and endpoint, decided here and nowhere else. */
export type Signing = "required" | "exempt";

/** Why a request is allowed. */
export type Ground = "rule" | "default-access" | "disabled" | "built-in" | "exempt-elevated";

/** The whole decision about one request, before anything is made of it. */
export type Outcome =
  & {
    readonly signing: Signing;
    /** What the rules said; `null` when there are none, or when they were not asked. */
    readonly rules: RuleVerdict | null;
  }
  & (
    | { readonly verdict: "allow"; readonly ground: Ground }
    /** `flag`: forwarded, and recorded as one that Enforce would refuse. */
    | { readonly verdict: "flag" | "deny"; readonly refusal: Refusal }
  );

/**
 * Decides one request at one endpoint. Everything that decides comes through here: the agent, the simulator and the command
 * line.
 *
 * The order: a diagnostics upload of an elevated caller passes; WireServer and HostGAPlugin demand an elevated caller; a closed
 * endpoint refuses; rules decide; without rules the built-in defaults allow. What is refused is only flagged unless the mode
 * enforces (DEVIATION D-02). With `built-in` no matcher runs. Rules are asked even about a caller that is not elevated, for the
 * record. Source: authorization 2.3 to 2.6.
 */
export function decide(
  endpoint: EndpointName,
  question: Question,
  policy: EndpointPolicy,
  matching: Matching,
): Outcome {
  const { claims } = question;
  const exempt = isSignatureExempt(question.method, question.target, endpoint);
  if (exempt && claims.elevated) return EXEMPT_ELEVATED;
  const signing = exempt ? "exempt" : "required";
  const rules = policy.kind === "rules" ? evaluate(policy.rules, question, matching) : null;
  const refusal = endpoint !== "imds" && !claims.elevated
    ? notElevated(endpoint)
    : policy.kind === "closed"
    ? refused("policy-closed", policy.reason)
    : rules === null || rules.allowed
    ? null
    : ruleRefusal(rules, policy);
  if (refusal !== null) {
    return { verdict: policy.mode === "enforce" ? "deny" : "flag", refusal, signing, rules };
  }
  if (rules !== null) return { verdict: "allow", ground: rules.by, signing, rules };
  return exempt ? BUILT_IN_EXEMPT : BUILT_IN;
}

const EXEMPT_ELEVATED: Outcome = Object.freeze({
  verdict: "allow",
  ground: "exempt-elevated",
  signing: "exempt",
  rules: null,
});
const BUILT_IN: Outcome = Object.freeze({
  verdict: "allow",
  ground: "built-in",
  signing: "required",
  rules: null,
});
const BUILT_IN_EXEMPT: Outcome = Object.freeze({ ...BUILT_IN, signing: "exempt" });

function notElevated(endpoint: EndpointName): Refusal {
  return refused("not-elevated", `only root may use ${endpoint}`);
}

/** Why rules that do not allow a request refuse it. Source: authorization 3.4, 3.13 and W-13. */
function ruleRefusal(rules: RuleVerdict, policy: EndpointPolicy): Refusal {
  const id = policy.kind === "rules" ? policy.rules.id : "";
  if (rules.compat === "allow") {
    const { canonical, strictFault } = rules;
    if (canonical !== "allow" && canonical !== "deny") {
      return refused("not-canonical", `${canonical}: ${CANON_MEANINGS[canonical]}`);
    }
    if (strictFault !== null) return refused("not-canonical", `${strictFault}: no strict target`);
    return refused(
      "matchers-disagree",
      rules.privilege === null
        ? `no privilege of rule set ${shown(id)} matches the canonical request`
        : `the canonical request needs privilege ${shown(rules.privilege)} of rule set ${
          shown(id)
        }`,
    );
  }
  return rules.by === "rule"
    ? refused(
      "rule-denied",
      `the caller is no identity of privilege ${shown(rules.privilege ?? "")} of rule set ${
        shown(id)
      }`,
    )
    : refused("default-denied", `no privilege of rule set ${shown(id)} matches`);
}

function refused(reason: Refusal["reason"], detail: string): Refusal {
  return { status: 403, reason, detail };
}

/** Names come from documents and may be long. */
function shown(name: string): string {
  return `\`${name.length <= MAX_SHOWN ? name : name.slice(0, MAX_SHOWN).toWellFormed() + "…"}\``;
}

const MAX_SHOWN = 200;
