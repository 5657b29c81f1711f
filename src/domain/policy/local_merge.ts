import { Buffer } from "node:buffer";
import {
  type AuthorizationItem,
  itemDocument,
  type LocalRules,
  parseRuleDescriptor,
  type RuleDescriptor,
  type RuleSet,
} from "../wire/rules_document.ts";

/** Stands before every name of a local file that is merged with rules of the host. */
export const LOCAL_NAME_PREFIX = "LocalFileRules_";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const BLANKS_AROUND = /^\p{White_Space}+|\p{White_Space}+$/gu;

/**
 * What the id of an item says: the id proper, and whether local rules are wanted. A plain id says nothing of them, and no
 * item says neither. Source: authorization 4.2.
 */
export function ruleDescriptor(item: Pick<AuthorizationItem, "id"> | null): RuleDescriptor {
  const id = (item?.id ?? "").replace(BLANKS_AROUND, "");
  if (id === "") return { id: "", useLocalFileRules: false };
  return decodedDescriptor(id) ?? { id, useLocalFileRules: false };
}

/** The item under the id that records and dumps show; an item without an id keeps it. Source: authorization 4.2. */
export function normalisedItem(item: AuthorizationItem): AuthorizationItem {
  return withId(item, displayId(item));
}

/**
 * The item with the rules of a local file: its grants are added, its default counts, the mode stays the host's.
 * Source: authorization 4.6.
 */
export function mergedItem(item: AuthorizationItem, local: LocalRules): AuthorizationItem {
  const id = displayId(item);
  const merged = {
    id: local.id === null ? id : `${id}_${local.id}`,
    defaultAccess: local.defaultAccess ?? item.defaultAccess,
    mode: item.mode,
    rules: mergedRules(item.rules, local.rules),
  };
  return Object.freeze({ ...merged, source: itemDocument(merged) });
}

/** What stands in for an item whose local rules cannot be read: nothing is granted. Source: authorization 4.7. */
export function closedItem(item: AuthorizationItem): AuthorizationItem {
  const closed = {
    id: displayId(item),
    defaultAccess: "deny",
    mode: item.mode,
    rules: null,
  } as const;
  return Object.freeze({ ...closed, source: itemDocument(closed) });
}

function displayId(item: AuthorizationItem): string {
  const { id, useLocalFileRules } = ruleDescriptor(item);
  return id === "" ? item.id : `${id}-useLocalFileRules-${useLocalFileRules}`;
}

function withId(item: AuthorizationItem, id: string): AuthorizationItem {
  if (id === item.id) return item;
  return Object.freeze({ ...item, id, source: new Map([...item.source, ["id", id]]) });
}

/** `null` when the text is no Base64 of a descriptor. */
function decodedDescriptor(text: string): RuleDescriptor | null {
  if (!BASE64.test(text)) return null;
  const bytes = Buffer.from(text, "base64");
  // Other spellings of the same bytes are none of the standard's.
  if (bytes.toString("base64") !== text) return null;
  try {
    const json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return parseRuleDescriptor(json);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function mergedRules(host: RuleSet | null, local: RuleSet | null): RuleSet | null {
  if (host === null || local === null) return host ?? local;
  const prefixed = withPrefix(local);
  return {
    privileges: joined(host.privileges, prefixed.privileges),
    roles: joined(host.roles, prefixed.roles),
    identities: joined(host.identities, prefixed.identities),
    roleAssignments: joined(host.roleAssignments, prefixed.roleAssignments),
  };
}

/** Names get the prefix, also those that have it already; paths and selectors do not. */
function withPrefix(rules: RuleSet): RuleSet {
  const prefixed = (name: string) => LOCAL_NAME_PREFIX + name;
  const named = <T extends { readonly name: string }>(part: T): T => ({
    ...part,
    name: prefixed(part.name),
  });
  return {
    privileges: rules.privileges?.map(named) ?? null,
    roles: rules.roles?.map((role) => ({
      ...named(role),
      privileges: role.privileges.map(prefixed),
    })) ?? null,
    identities: rules.identities?.map(named) ?? null,
    roleAssignments: rules.roleAssignments?.map(({ role, identities }) => ({
      role: prefixed(role),
      identities: identities.map(prefixed),
    })) ?? null,
  };
}

function joined<T>(host: readonly T[] | null, local: readonly T[] | null): readonly T[] | null {
  if (host === null || local === null) return host ?? local;
  return [...host, ...local];
}
