import type { Result } from "../../runtime/result.ts";
import {
  type DocumentFault,
  type ObjectReader,
  readDocument,
  stringOf,
} from "./document_reader.ts";
import { type AuthorizationRules, rulesOf } from "./rules_document.ts";

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
