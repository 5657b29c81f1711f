import type { AuthorizationItem, RuleSet } from "../../src/domain/wire/mod.ts";
import { type CallerClaims, type Question, questionOf } from "../../src/domain/policy/mod.ts";
import type { CallerDocument, ItemDocument, Triple } from "../reference/documents.ts";

/** The item as the parser hands it to the engine, for documents whose mode is a known one. */
export function productionItem(item: ItemDocument): AuthorizationItem {
  const mode = item.mode.toLowerCase();
  if (mode !== "disabled" && mode !== "audit" && mode !== "enforce") throw new Error(item.mode);
  return {
    id: item.id,
    defaultAccess: item.defaultAccess.toLowerCase() === "allow" ? "allow" : "deny",
    mode,
    rules: item.rules ? productionRules(item.rules) : null,
    source: new Map(),
  };
}

function productionRules(rules: NonNullable<ItemDocument["rules"]>): RuleSet {
  return {
    privileges: rules.privileges?.map(({ name, path, queryParameters }) => ({
      name,
      path,
      queryParameters: queryParameters ? new Map(Object.entries(queryParameters)) : null,
    })) ?? null,
    roles: rules.roles ?? null,
    identities: rules.identities?.map((identity) => ({
      name: identity.name,
      userName: identity.userName ?? null,
      groupName: identity.groupName ?? null,
      exePath: identity.exePath ?? null,
      processName: identity.processName ?? null,
    })) ?? null,
    roleAssignments: rules.roleAssignments ?? null,
  };
}

export function productionClaims(caller: CallerDocument): CallerClaims {
  const { userName, userGroups, processName, processFullPath, runAsElevated } = caller;
  return { userName, userGroups, processName, processFullPath, elevated: runAsElevated };
}

export function productionQuestion({ method, target, caller }: Omit<Triple, "item">): Question {
  return questionOf(method, target, productionClaims(caller));
}
