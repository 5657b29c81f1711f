import { err, ok, type Result } from "../../runtime/result.ts";
import { type DocumentFault, documentFault } from "./document_reader.ts";
import { type AuthorizationRules, authorizationRulesSteps } from "./rules_document.ts";
import KEY_STATUS from "./schema/key_status.json" with { type: "json" };
import { type JsonSchema, SchemaChecker } from "./schema_checker.ts";
import { type JsonObject, type JsonValue, parseStrictJsonSteps } from "./strict_json.ts";

export type {
  AuthorizationItem,
  AuthorizationRules,
  Identity,
  Mode,
  Privilege,
  Role,
  RoleAssignment,
  RuleSet,
} from "./rules_document.ts";

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

/**
 * Parses and validates a status document; a rejected document changes nothing.
 * DEVIATION D-10: an unknown mode rejects the document, where others take it for Disabled.
 * Source: wire-protocol 3.2, 3.3 and 3.5, authorization 1.2 and W-08.
 */
export function parseKeyStatus(text: string): Result<KeyStatus, DocumentFault> {
  const steps = parseKeyStatusSteps(text);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps, for documents with many rules: each step takes well below a millisecond. */
export function* parseKeyStatusSteps(
  text: string,
): Generator<void, Result<KeyStatus, DocumentFault>> {
  const parsed = yield* parseStrictJsonSteps(text);
  if (!parsed.ok) return err(documentFault(parsed.error));
  const checker = new SchemaChecker(KEY_STATUS as JsonSchema);
  const fault = yield* checker.steps(parsed.value);
  if (fault !== null) return err(fault);
  const root = parsed.value as JsonObject;
  const member = <T>(name: string) => (root.get(name) ?? null) as T | null;
  const status: KeyStatus = {
    authorizationScheme: root.get("authorizationScheme") as string,
    keyDeliveryMethod: root.get("keyDeliveryMethod") as string,
    version: root.get("version") as string,
    keyGuid: member<string>("keyGuid"),
    keyIncarnationId: member<number>("keyIncarnationId"),
    requiredClaimsHeaderPairs: member<readonly string[]>("requiredClaimsHeaderPairs"),
    secureChannelState: member<string>("secureChannelState"),
    secureChannelEnabled: member<boolean>("secureChannelEnabled"),
    authorizationRules: yield* authorizationRulesSteps(member<JsonObject>("authorizationRules")),
  };
  const missing = missingMember(status);
  if (missing === null) return ok(status);
  const path = `$.${missing}`;
  return err({ code: "MEMBER_MISSING", path, message: `${path} is required` });
}

/** What a status document says, as JSON that reads back to the same: to keep it over a restart. */
export function keyStatusDocument(status: KeyStatus): JsonObject {
  const members: [string, JsonValue][] = [
    ["authorizationScheme", status.authorizationScheme],
    ["keyDeliveryMethod", status.keyDeliveryMethod],
    ["version", status.version],
    ["keyGuid", status.keyGuid],
    ["keyIncarnationId", status.keyIncarnationId],
    ["requiredClaimsHeaderPairs", status.requiredClaimsHeaderPairs],
    ["secureChannelState", status.secureChannelState],
    ["secureChannelEnabled", status.secureChannelEnabled],
  ];
  const rules = status.authorizationRules;
  if (rules !== null) {
    members.push([
      "authorizationRules",
      new Map([
        ["wireserver", rules.wireserver?.source ?? null],
        ["imds", rules.imds?.source ?? null],
      ]),
    ]);
  }
  return new Map(members);
}

/** A member that documents of this version must have and this one has not; `null` when it has all. */
function missingMember(status: KeyStatus): string | null {
  const { secureChannelState, secureChannelEnabled, version } = status;
  if (version === STATUS_VERSION_2 && secureChannelEnabled === null) return "secureChannelEnabled";
  if (secureChannelState === null && (version === "1.0" || secureChannelEnabled === null)) {
    return "secureChannelState";
  }
  return null;
}
