import type { EndpointName } from "../domain/wire/endpoints.ts";
import { err, ok, type Result } from "../runtime/result.ts";

/**
 * What the host wants of the agent: the members of the status document that are policy, under the names they have there.
 * The rules are handed on as they are, good or bad, because trying bad ones is what a simulator is for.
 * Source: wire-protocol 3.2.
 */
export interface HostPolicy {
  readonly version: string;
  readonly secureChannelState?: string | null;
  readonly secureChannelEnabled?: boolean | null;
  readonly authorizationRules?: unknown;
}

/** What the simulated host does with requests that are not properly signed. */
export type HostMode = "disabled" | "audit" | "enforce";

/** Everything enforced, everybody allowed who may by default: the state of a VM with the feature fully on. */
export const DEFAULT_POLICY: HostPolicy = Object.freeze({
  version: "2.0",
  secureChannelEnabled: true,
  authorizationRules: {
    wireserver: { defaultAccess: "allow", mode: "enforce", id: "simulated-wireserver-1" },
    imds: { defaultAccess: "allow", mode: "enforce", id: "simulated-imds-1" },
  },
});

const MEMBERS = ["version", "secureChannelState", "secureChannelEnabled", "authorizationRules"];

/** Takes a policy from a decoded JSON document. The error says what is wrong, for people. */
export function parsePolicy(document: unknown): Result<HostPolicy, string> {
  if (!isObject(document)) return err("the policy must be a JSON object");
  const unknown = Object.keys(document).find((name) => !MEMBERS.includes(name));
  if (unknown !== undefined) {
    return err(`unknown member \`${unknown}\`; known are ${MEMBERS.join(", ")}`);
  }
  const { version, secureChannelState, secureChannelEnabled } = document;
  if (typeof version !== "string") return err("`version` must be a string");
  if (!isAbsent(secureChannelState) && typeof secureChannelState !== "string") {
    return err("`secureChannelState` must be a string or null");
  }
  if (!isAbsent(secureChannelEnabled) && typeof secureChannelEnabled !== "boolean") {
    return err("`secureChannelEnabled` must be true, false or null");
  }
  return ok(document as unknown as HostPolicy);
}

/** The mode of an endpoint under a policy; HostGA follows WireServer. Source: wire-protocol 3.4. */
export function hostMode(policy: HostPolicy, endpoint: EndpointName): HostMode {
  const item = endpoint === "imds" ? "imds" : "wireserver";
  if (policy.version !== "2.0") {
    switch (policy.secureChannelState?.toLowerCase()) {
      case "wireserverandimds":
        return "enforce";
      case "wireserver":
        return item === "imds" ? "audit" : "enforce";
      default:
        return "disabled";
    }
  }
  if (policy.secureChannelEnabled !== true || !isObject(policy.authorizationRules)) {
    return "disabled";
  }
  const rules = policy.authorizationRules[item];
  const mode = isObject(rules) && typeof rules["mode"] === "string"
    ? rules["mode"].toLowerCase()
    : "disabled";
  return mode === "enforce" || mode === "audit" ? mode : "disabled";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}
