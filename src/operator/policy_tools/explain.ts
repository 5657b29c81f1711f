import {
  type CallerClaims,
  type EndpointPolicy,
  explain,
  type Explanation,
  type Matching,
  questionOf,
  type Remedy,
} from "../../domain/policy/mod.ts";
import type { EndpointName } from "../../domain/wire/mod.ts";
import { judge, type Judgement } from "./judge.ts";

/** A request at an endpoint, and who makes it. */
export interface ExplainQuestion {
  readonly endpoint: EndpointName;
  readonly method: string;
  readonly target: string;
  readonly claims: CallerClaims;
}

/** Why a request gets its verdict, with the question. */
export interface ExplainReport {
  readonly question: ExplainQuestion;
  readonly matching: Matching;
  readonly policy: EndpointPolicy;
  readonly judgement: Judgement;
  readonly explanation: Explanation;
}

/** Explains what the agent would do with a request. Source: authorization 9.7. */
export function explainRequest(
  question: ExplainQuestion,
  policy: EndpointPolicy,
  matching: Matching,
): ExplainReport {
  const { endpoint, method, target, claims } = question;
  const asked = questionOf(method, target, claims);
  return {
    question,
    matching,
    policy,
    judgement: judge(endpoint, asked, policy, matching),
    explanation: explain(endpoint, asked, policy, matching),
  };
}

/** The report as plain JSON. */
export function explainJson(report: ExplainReport): Record<string, unknown> {
  const { question, matching, policy, judgement, explanation } = report;
  const { rules, refusal } = judgement;
  const { claims } = question;
  const isGuarded = isGuardRefusal(report);
  return {
    verdict: judgement.verdict,
    reason: judgement.reason,
    detail: refusal?.detail ?? null,
    status: judgement.verdict === "deny" ? refusal?.status ?? null : null,
    compat: rules?.compat ?? "allow",
    canonical: rules?.canonical ?? "allow",
    privilege: rules?.privilege ?? null,
    identity: rules?.identity ?? null,
    request: {
      endpoint: question.endpoint,
      method: question.method,
      target: question.target,
      legacyPath: explanation.legacyPath,
      canonicalTarget: explanation.canonicalTarget,
      canonCode: explanation.canonCode,
      strictFault: explanation.strictFault,
    },
    caller: {
      userName: claims.userName,
      userGroups: claims.userGroups,
      processName: claims.processName,
      processFullPath: claims.processFullPath,
      runAsElevated: claims.elevated,
    },
    policy: {
      kind: policy.kind,
      mode: policy.mode,
      matching,
      ruleSetId: explanation.ruleSetId,
      defaultAccess: policy.kind !== "rules"
        ? null
        : policy.rules.defaultAllowed
        ? "allow"
        : "deny",
    },
    privileges: explanation.privileges,
    omittedPrivileges: explanation.omittedPrivileges,
    remedy: isGuarded ? GUARD_REMEDY : explanation.remedy,
  };
}

/** Whether the request ends at the guards, so that neither rules nor mode have a say. */
export function isGuardRefusal({ judgement, explanation }: ExplainReport): boolean {
  return judgement.refusal !== null &&
    (explanation.outcome.verdict === "allow" ||
      explanation.outcome.refusal.reason !== judgement.refusal.reason);
}

export const GUARD_REMEDY: Remedy = Object.freeze({
  kind: "none",
  why: "the request is refused before any rule is asked, in every mode",
});
