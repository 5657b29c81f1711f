import type { DocumentFault } from "../wire/document_reader.ts";
import type { Identity, RuleSet } from "../wire/rules_document.ts";
import { jsonPathStep } from "../wire/strict_json.ts";

/** Parts that are looked at between two pauses. */
const PARTS_IN_A_STEP = 128;
const NOT_BLANK = /\P{White_Space}/u;

/**
 * What is wrong between the parts of a rule set: names that are used twice, references to nothing, identities that would fit
 * everybody. `null` when nothing is. That no text is blank and no list of references is empty, the schema has seen to.
 * In steps, each well below a millisecond. Source: authorization 4.4.
 *
 * @param at JSON path of the rules
 */
export function* ruleSetFaultSteps(
  rules: RuleSet | null,
  at = "$.rules",
): Generator<void, DocumentFault | null> {
  if (rules === null) return null;
  const privileges = new Set<string>();
  const roles = new Set<string>();
  const identities = new Set<string>();
  let parts = 0;
  const isDue = () => ++parts % PARTS_IN_A_STEP === 0;

  for (const [index, { name }] of (rules.privileges ?? []).entries()) {
    const fault = define(privileges, name, `${at}.privileges${jsonPathStep(index)}`);
    if (fault !== null) return fault;
    if (isDue()) yield;
  }
  for (const [index, role] of (rules.roles ?? []).entries()) {
    const path = `${at}.roles${jsonPathStep(index)}`;
    const fault = define(roles, role.name, path) ??
      referenceFault(role.privileges, privileges, "privilege", `${path}.privileges`);
    if (fault !== null) return fault;
    if (isDue()) yield;
  }
  for (const [index, identity] of (rules.identities ?? []).entries()) {
    const path = `${at}.identities${jsonPathStep(index)}`;
    const fault = define(identities, identity.name, path) ?? selectorFault(identity, path);
    if (fault !== null) return fault;
    if (isDue()) yield;
  }
  for (const [index, assignment] of (rules.roleAssignments ?? []).entries()) {
    const path = `${at}.roleAssignments${jsonPathStep(index)}`;
    const fault = referenceFault([assignment.role], roles, "role", `${path}.role`) ??
      referenceFault(assignment.identities, identities, "identity", `${path}.identities`);
    if (fault !== null) return fault;
    if (isDue()) yield;
  }
  return null;
}

/** The same at once. */
export function ruleSetFault(rules: RuleSet | null, at = "$.rules"): DocumentFault | null {
  const steps = ruleSetFaultSteps(rules, at);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function define(known: Set<string>, name: string, path: string): DocumentFault | null {
  if (known.has(name)) {
    return fault(`${path}.name`, `is ${quoted(name)}, which is used before; rename one of the two`);
  }
  known.add(name);
  return null;
}

/** References are compared exactly, as names are. */
function referenceFault(
  references: readonly string[],
  defined: ReadonlySet<string>,
  what: string,
  path: string,
): DocumentFault | null {
  const seen = new Set<string>();
  for (const [index, reference] of references.entries()) {
    const place = what === "role" ? path : path + jsonPathStep(index);
    if (!defined.has(reference)) {
      return fault(place, `is ${quoted(reference)}, must be the name of a ${what} in this file`);
    }
    if (seen.has(reference)) return fault(place, `is ${quoted(reference)} again; leave it out`);
    seen.add(reference);
  }
  return null;
}

function selectorFault(identity: Identity, path: string): DocumentFault | null {
  const { userName, groupName, exePath, processName } = identity;
  const selectors = [userName, groupName, exePath, processName];
  if (selectors.some((selector) => selector !== null && NOT_BLANK.test(selector))) return null;
  return fault(path, "must have a selector that is not blank, or it would fit every caller");
}

function fault(path: string, words: string): DocumentFault {
  return { code: "MEMBER_VALUE", path, message: `${path} ${words}` };
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60).toWellFormed()}…` : name);
}
