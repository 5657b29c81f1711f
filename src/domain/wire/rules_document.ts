import { ObjectReader, stringOf } from "./document_reader.ts";
import type { JsonObject } from "./strict_json.ts";

/** What the verdict of an endpoint's policy does. Source: authorization 1.6 and 2. */
export type Mode = "disabled" | "audit" | "enforce";

/** A path, and the query parameters it needs, that a role may use. */
export interface Privilege {
  readonly name: string;
  readonly path: string;
  readonly queryParameters: ReadonlyMap<string, string> | null;
}

/** A named set of privileges. */
export interface Role {
  readonly name: string;
  readonly privileges: readonly string[];
}

/** A caller, described by the selectors that are not `null`. */
export interface Identity {
  readonly name: string;
  readonly userName: string | null;
  readonly groupName: string | null;
  readonly exePath: string | null;
  readonly processName: string | null;
}

/** Which identities have a role. */
export interface RoleAssignment {
  readonly role: string;
  readonly identities: readonly string[];
}

/** The rules of one item as the host sent them. `null` is a list that was not sent. */
export interface RuleSet {
  readonly privileges: readonly Privilege[] | null;
  readonly roles: readonly Role[] | null;
  readonly identities: readonly Identity[] | null;
  readonly roleAssignments: readonly RoleAssignment[] | null;
}

/** The rules of one endpoint. */
export interface AuthorizationItem {
  readonly defaultAccess: "allow" | "deny";
  readonly mode: Mode;
  /** As received; may carry a Base64 descriptor. */
  readonly id: string;
  readonly rules: RuleSet | null;
  /** The whole item as received, unknown members included: what change detection looks at. */
  readonly source: JsonObject;
}

/** The member `authorizationRules`. `hostga` is checked and then not used, as HostGAPlugin follows WireServer (D-04). */
export interface AuthorizationRules {
  readonly wireserver: AuthorizationItem | null;
  readonly imds: AuthorizationItem | null;
}

/** The member `authorizationRules`, read from its place in the document; `null` when it is absent. */
export function rulesOf(rules: ObjectReader | null): AuthorizationRules | null {
  if (rules === null) return null;
  // The item `hostga` decides nothing, so its mode cannot be wrong; its members are still required.
  itemOf(rules.optionalObject("hostga"), () => "disabled");
  return {
    wireserver: itemOf(rules.optionalObject("wireserver"), modeOf),
    imds: itemOf(rules.optionalObject("imds"), modeOf),
  };
}

function itemOf(
  item: ObjectReader | null,
  readMode: (item: ObjectReader, text: string) => Mode,
): AuthorizationItem | null {
  if (item === null) return null;
  const defaultAccess = item.string("defaultAccess");
  const mode = item.string("mode");
  return {
    defaultAccess: defaultAccess.toLowerCase() === "allow" ? "allow" : "deny",
    mode: readMode(item, mode),
    id: item.string("id"),
    rules: ruleSetOf(item.optionalObject("rules")),
    source: item.source,
  };
}

function modeOf(item: ObjectReader, text: string): Mode {
  const mode = text.toLowerCase();
  if (mode === "disabled" || mode === "audit" || mode === "enforce") return mode;
  return item.refuseValue("mode", "disabled, audit or enforce");
}

function ruleSetOf(rules: ObjectReader | null): RuleSet | null {
  if (rules === null) return null;
  return {
    privileges: rules.optionalArray("privileges", (element, path) => {
      const privilege = ObjectReader.of(element, path);
      return {
        name: privilege.string("name"),
        path: privilege.string("path"),
        queryParameters: stringMapOf(privilege.optionalObject("queryParameters")),
      };
    }),
    roles: rules.optionalArray("roles", (element, path) => {
      const role = ObjectReader.of(element, path);
      return { name: role.string("name"), privileges: role.array("privileges", stringOf) };
    }),
    identities: rules.optionalArray("identities", (element, path) => {
      const identity = ObjectReader.of(element, path);
      return {
        name: identity.string("name"),
        userName: identity.optionalString("userName"),
        groupName: identity.optionalString("groupName"),
        exePath: identity.optionalString("exePath"),
        processName: identity.optionalString("processName"),
      };
    }),
    roleAssignments: rules.optionalArray("roleAssignments", (element, path) => {
      const assignment = ObjectReader.of(element, path);
      return {
        role: assignment.string("role"),
        identities: assignment.array("identities", stringOf),
      };
    }),
  };
}

function stringMapOf(object: ObjectReader | null): ReadonlyMap<string, string> | null {
  if (object === null) return null;
  const entries = new Map<string, string>();
  for (const name of object.source.keys()) entries.set(name, object.string(name));
  return entries;
}
