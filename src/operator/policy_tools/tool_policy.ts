import { err, ok, type Result } from "../../runtime/result.ts";
import {
  type EndpointPolicy,
  type Matching,
  type PolicyContent,
  policySteps,
} from "../../domain/policy/mod.ts";
import { ENDPOINT_NAMES, type EndpointName } from "../../domain/wire/mod.ts";
import { effectiveRules, type RuleDocument } from "./rule_document.ts";

/** The policies that a document makes, as the agent would install them. */
export interface ToolPolicy {
  readonly matching: Matching;
  readonly endpoints: Readonly<Record<EndpointName, EndpointPolicy>>;
}

/**
 * Builds the policy of a document the way the agent does: compiled, and tested before it counts. The error says why the agent
 * would refuse it.
 */
export function toolPolicy(
  document: RuleDocument,
  matching: Matching,
): Result<ToolPolicy, string> {
  const rules = effectiveRules(document);
  const steps = policySteps({ status: document.status, rules, matching });
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  if (!step.value.ok) {
    const { endpoint, reason } = step.value.error;
    return err(`the agent would refuse these rules for ${endpoint}: ${reason}`);
  }
  const { endpoints } = step.value.value.content;
  return ok({ matching, endpoints: withInstalledModes(document, endpoints) });
}

/** A dump says in which mode each endpoint really is, with rules or without. */
function withInstalledModes(
  { installed }: RuleDocument,
  endpoints: PolicyContent["endpoints"],
): PolicyContent["endpoints"] {
  if (installed === null) return endpoints;
  const inMode = (endpoint: EndpointName): EndpointPolicy => {
    const policy = endpoints[endpoint];
    const { mode, closedBecause } = installed[endpoint];
    if (closedBecause !== null) return { kind: "closed", mode, reason: closedBecause };
    return policy.kind === "built-in" ? { kind: "built-in", mode } : { ...policy, mode };
  };
  const wireserver = inMode("wireserver");
  const isSame = installed.wireserver.mode === installed.hostga.mode &&
    installed.wireserver.closedBecause === installed.hostga.closedBecause;
  return {
    wireserver,
    imds: inMode("imds"),
    hostga: endpoints.hostga === endpoints.wireserver && isSame ? wireserver : inMode("hostga"),
  };
}

/** The endpoints that have rules of their own; HostGAPlugin has none where it follows WireServer. */
export function distinctEndpoints(policies: readonly ToolPolicy[]): readonly EndpointName[] {
  return ENDPOINT_NAMES.filter((endpoint) =>
    endpoint !== "hostga" ||
    policies.some(({ endpoints }) => endpoints.hostga !== endpoints.wireserver)
  );
}
