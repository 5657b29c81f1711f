import { CANON_CODES, CANON_MEANINGS, type CanonCode } from "../../domain/canonical/mod.ts";
import type {
  IdentityTrace,
  MatcherTrace,
  PrivilegeTrace,
  Remedy,
} from "../../domain/policy/mod.ts";
import { callerText } from "./caller_text.ts";
import { printable } from "./printable.ts";
import { type ExplainReport, GUARD_REMEDY, isGuardRefusal } from "./explain.ts";

/** Privileges that are spelt out unless all are asked for. */
const SHOWN_PRIVILEGES = 5;
const SHOWN_IDENTITIES = 8;

/** The report for people: the verdict first, then why, then what would change it. */
export function explainText(report: ExplainReport, source: string, isWhole: boolean): string {
  const { question, policy, matching, explanation } = report;
  const lines = [
    ...verdictLines(report),
    "",
    `request   ${question.method} ${shown(question.target)} at ${question.endpoint}`,
    `caller    ${callerText(question.claims)}`,
    `policy    ${source}`,
    `          ${policyText(report)}, mode ${policy.mode}, matching ${matching}`,
  ];
  if (policy.kind === "rules") {
    lines.push("", ...matcherLines(report), "", ...traceLines(report, isWhole));
  }
  const remedy = isGuardRefusal(report) ? GUARD_REMEDY : explanation.remedy;
  if (remedy !== null) lines.push("", ...remedyLines(remedy));
  return `${lines.join("\n")}\n`;
}

function verdictLines({ judgement, question, explanation }: ExplainReport): string[] {
  const { verdict, reason, refusal, rules } = judgement;
  if (refusal === null) {
    const how: Record<string, string> = {
      rule: `privilege ${quoted(rules?.privilege)} grants it to identity ${
        quoted(rules?.identity)
      }`,
      "default-access": "no privilege matches, and the default of the rules is to allow",
      disabled: "the mode is Disabled: the endpoint is not guarded",
      "built-in": "there are no rules, and the platform's defaults allow it",
      "exempt-elevated": "an upload of diagnostics by an elevated caller needs no rule",
    };
    return [`ALLOW (${reason}): ${how[reason] ?? reason}`];
  }
  const head = verdict === "deny"
    ? `DENY with ${refusal.status} (${reason}): ${refusal.detail}`
    : `FLAG (${reason}): forwarded and recorded; Enforce would refuse it: ${refusal.detail}`;
  const lines = [head];
  const failed = BY_RULES.has(reason)
    ? nearestMiss(explanation.privileges, rules?.privilege ?? null)
    : null;
  if (failed !== null) lines.push(failed);
  if (reason === "not-elevated" && question.claims.userName === "root") {
    lines.push("Is the caller root? Then say so: add `elevated` to --caller.");
  }
  return lines;
}

/** Reasons that the rules gave. */
const BY_RULES: ReadonlySet<string> = new Set([
  "rule-denied",
  "default-denied",
  "matchers-disagree",
]);

/** In one line, what kept the privilege that the request came nearest to from granting it. */
function nearestMiss(privileges: readonly PrivilegeTrace[], matched: string | null): string | null {
  const privilege = privileges.find(({ privilege }) => privilege === matched) ??
    privileges.find(({ legacy, canonical }) =>
      legacy?.pathHolds === true || isTrace(canonical) && canonical.pathHolds
    );
  if (privilege === undefined) return null;
  const matcher = privilege.legacy ?? (isTrace(privilege.canonical) ? privilege.canonical : null);
  const constraint = matcher?.constraints.find(({ holds }) => !holds);
  if (constraint !== undefined) {
    const found = constraint.found.length === 0
      ? "it is not in the request"
      : `the request has ${constraint.found.map(quoted).join(" and ")}`;
    return `Nearest: privilege ${quoted(privilege.privilege)} needs parameter ` +
      `${quoted(constraint.key)} to be ${quoted(constraint.wanted)}; ${found}.`;
  }
  if (privilege.identities.length === 0) {
    return `Privilege ${quoted(privilege.privilege)} matches, and nobody has it.`;
  }
  const [identity] = [...privilege.identities].sort((left, right) => misses(left) - misses(right));
  const selector = identity!.selectors.find(({ holds }) => !holds);
  if (selector === undefined) return null;
  return `Nearest: identity ${quoted(identity!.identity)} of privilege ` +
    `${quoted(privilege.privilege)} needs ${selector.selector} ${quoted(selector.wanted)}; ` +
    `the caller's is ${claimText(selector.actual)}.`;
}

function misses({ selectors }: IdentityTrace): number {
  return selectors.filter(({ holds }) => !holds).length;
}

function policyText({ policy, explanation }: ExplainReport): string {
  switch (policy.kind) {
    case "built-in":
      return "no rules, the built-in defaults decide";
    case "closed":
      return `closed: ${policy.reason}`;
    case "rules":
      return `rule set ${quoted(explanation.ruleSetId)}, default access ${
        policy.rules.defaultAllowed ? "allow" : "deny"
      }`;
  }
}

function matcherLines({ judgement, explanation }: ExplainReport): string[] {
  const { rules } = judgement;
  const canonical = rules?.canonical ?? "allow";
  const meaning = isCanonCode(canonical) ? `, ${CANON_MEANINGS[canonical]}` : "";
  const lines = [
    `legacy matcher     ${rules?.compat ?? "allow"}, path ${shown(explanation.legacyPath)}`,
    `canonical matcher  ${canonical}${meaning}` +
    (explanation.canonicalTarget === null ? "" : `, ${shown(explanation.canonicalTarget)}`),
  ];
  if (explanation.strictFault !== null) {
    lines.push(`strict target      ${explanation.strictFault}: matching \`enforce\` refuses it`);
  }
  return lines;
}

function traceLines({ explanation }: ExplainReport, isWhole: boolean): string[] {
  const { privileges, omittedPrivileges } = explanation;
  if (privileges.length === 0) return ["The rules have no privileges."];
  const most = isWhole ? privileges.length : SHOWN_PRIVILEGES;
  const lines = privileges.slice(0, most).flatMap((each) => privilegeLines(each, isWhole));
  const rest = privileges.length - Math.min(most, privileges.length) + omittedPrivileges;
  if (rest > 0) lines.push(`and ${rest} privileges more${isWhole ? "" : "; --all shows them"}`);
  return lines;
}

function privilegeLines(trace: PrivilegeTrace, isWhole: boolean): string[] {
  const { privilege, path, legacy, canonical, identities, omittedIdentities, grants } = trace;
  const word = grants.legacy && grants.canonical
    ? "grants"
    : grants.legacy
    ? "grants in the legacy matcher only"
    : grants.canonical
    ? "grants in the canonical matcher only"
    : "does not grant";
  const lines = [`privilege ${quoted(privilege)} ${shown(path)}: ${word}`];
  lines.push(
    `  legacy     ${legacy === null ? "knows no rules: a list is missing" : matcherText(legacy)}`,
  );
  lines.push(`  canonical  ${isTrace(canonical) ? matcherText(canonical) : canonical}`);
  const isMatched = legacy?.match !== "none" || isTrace(canonical) && canonical.match !== "none";
  if (!isMatched && !isWhole) return lines;
  if (identities.length === 0) lines.push("  nobody has it");
  const most = isWhole ? identities.length : SHOWN_IDENTITIES;
  const nearestFirst = [...identities].sort((left, right) => misses(left) - misses(right));
  for (const identity of nearestFirst.slice(0, most)) lines.push(`  ${identityText(identity)}`);
  const rest = identities.length - Math.min(most, identities.length) + omittedIdentities;
  if (rest > 0) lines.push(`  and ${rest} identities more`);
  return lines;
}

function matcherText({ pathHolds, constraints, match }: MatcherTrace): string {
  const parts = [pathHolds ? "path matches" : "path does not match"];
  if (pathHolds) {
    for (const { key, wanted, found, holds } of constraints) {
      parts.push(
        holds
          ? `${shown(key)}=${shown(wanted)} holds`
          : `${shown(key)} must be ${quoted(wanted)}, is ${
            found.length === 0 ? "missing" : found.map(quoted).join(" and ")
          }`,
      );
    }
  }
  if (match === "restricts") parts.push("a repeated parameter grants nothing");
  return parts.join("; ");
}

function identityText({ identity, failed, selectors }: IdentityTrace): string {
  if (failed === null) return `identity ${quoted(identity)} is the caller`;
  const missed = selectors.filter(({ holds }) => !holds).map(({ selector, wanted, actual }) =>
    `${selector} must be ${quoted(wanted)}, is ${claimText(actual)}`
  );
  return `identity ${quoted(identity)} is not the caller: ${missed.join("; ")}`;
}

function claimText(actual: string | readonly string[] | null): string {
  if (actual === null) return "unknown or not proven";
  if (typeof actual === "string") return quoted(actual);
  return actual.length === 0 ? "none" : actual.map(quoted).join(" ");
}

function remedyLines(remedy: Remedy): string[] {
  if (remedy.kind === "none") return [`No rule would allow it: ${remedy.why}`];
  return [
    "The smallest rule that would allow it; append each list to that of the rules:",
    ...JSON.stringify(remedy.fragment, null, 2).split("\n").map((line) => `  ${printable(line)}`),
  ];
}

function isTrace(trace: PrivilegeTrace["canonical"]): trace is MatcherTrace {
  return typeof trace !== "string";
}

function isCanonCode(word: string): word is CanonCode {
  return (CANON_CODES as readonly string[]).includes(word);
}

function quoted(text: string | null | undefined): string {
  return text === null || text === undefined ? "none" : printable(JSON.stringify(text));
}

/** A text without quotation marks where it is plain. */
function shown(text: string): string {
  return /^[!-~]+$/.test(text) ? printable(text) : quoted(text);
}
