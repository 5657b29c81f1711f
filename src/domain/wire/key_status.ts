import type { Result } from "../../runtime/result.ts";
import { type DocumentFault, ObjectReader, readDocument, stringOf } from "./document_reader.ts";
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

/** The secure-channel status document. Source: wire-protocol 3.2. */
export interface KeyStatus {
  readonly authorizationScheme: string;
  readonly keyDeliveryMethod: string;
  readonly version: string;
  /** Key the host considers latched; an empty text counts as present. */
  readonly keyGuid: string | null;
  readonly keyIncarnationId: number | null;
  readonly requiredClaimsHeaderPairs: readonly string[] | null;
  readonly secureChannelState: string | null;
  readonly secureChannelEnabled: boolean | null;
  readonly authorizationRules: AuthorizationRules | null;
}

/** The version of the document whose modes come from `authorizationRules`. */
export const STATUS_VERSION_2 = "2.0";

const V1_STATES: readonly string[] = ["disabled", "wireserver", "wireserverandimds"];

/**
 * Parses and validates a status document; a rejected document changes nothing.
 * DEVIATION D-10: an unknown mode rejects the document, where others take it for Disabled.
 * Source: wire-protocol 3.2, 3.3 and 3.5, authorization 1.2 and W-08.
 */
export function parseKeyStatus(text: string): Result<KeyStatus, DocumentFault> {
  return readDocument(text, (root) => {
    const status: KeyStatus = {
      authorizationScheme: root.string("authorizationScheme"),
      keyDeliveryMethod: root.string("keyDeliveryMethod"),
      version: root.string("version"),
      keyGuid: root.optionalString("keyGuid"),
      keyIncarnationId: root.optionalU32("keyIncarnationId"),
      requiredClaimsHeaderPairs: root.optionalArray("requiredClaimsHeaderPairs", stringOf),
      secureChannelState: root.optionalString("secureChannelState"),
      secureChannelEnabled: root.optionalBoolean("secureChannelEnabled"),
      authorizationRules: rulesOf(root.optionalObject("authorizationRules")),
    };
    validate(status, root);
    return status;
  });
}

function validate(status: KeyStatus, root: ObjectReader): void {
  const { secureChannelState, secureChannelEnabled, version } = status;
  if (secureChannelState !== null && !V1_STATES.includes(secureChannelState.toLowerCase())) {
    root.refuseValue("secureChannelState", "Disabled, Wireserver or WireserverAndImds");
  }
  if (version === STATUS_VERSION_2 && secureChannelEnabled === null) {
    root.refuseMissing("secureChannelEnabled");
  }
  if (secureChannelState === null && (version === "1.0" || secureChannelEnabled === null)) {
    root.refuseMissing("secureChannelState");
  }
}

function rulesOf(rules: ObjectReader | null): AuthorizationRules | null {
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
