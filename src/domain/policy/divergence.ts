import type { Matching, RuleVerdict } from "./question.ts";

/** Most characters of the target and of the rule set's id that are shown. */
const MAX_SHOWN = 1_024;

/**
 * The line that tells of two matchers that disagree about one request, for the log at level Warn; `null` when they agree, and
 * in `compat`, where nobody asked. Prefix and order of the fields are a contract; new fields may only be appended. The target
 * stands in quotes, so that it cannot be taken for fields; an id with blanks in it is shown with underscores.
 * Source: authorization 3.14.
 *
 * @param target path and query as received, freed from what must not be logged
 */
export function divergenceLine(
  matching: Matching,
  ruleSetId: string,
  verdict: Pick<RuleVerdict, "compat" | "canonical">,
  target: string,
): string | null {
  const { compat, canonical } = verdict;
  if (matching === "compat" || compat === canonical) return null;
  const isWord = canonical === "allow" || canonical === "deny";
  // An error counts as a denial.
  if (!isWord && compat === "deny") return null;
  const id = cut(ruleSetId).replaceAll(/[\s\p{Cc}]/gu, "_");
  return `CANON_DIVERGENCE mode=${matching} rule_set=${id} legacy=${compat} canon=${
    isWord ? canonical : `error:${canonical}`
  } uri=${JSON.stringify(cut(target))}`;
}

function cut(text: string): string {
  return text.length <= MAX_SHOWN ? text : text.slice(0, MAX_SHOWN).toWellFormed();
}
