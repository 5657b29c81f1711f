import { err, ok, type Result } from "../../runtime/result.ts";
import { LONGEST_FACT } from "./goal_state.ts";
import { parseStrictJson } from "./strict_json.ts";

/** What telemetry needs of the instance metadata. */
export interface InstanceFacts {
  readonly subscriptionId: string;
  readonly resourceGroupName: string;
  readonly vmId: string;
  /** Whether the image came from the platform's gallery: a non-empty `offer`. */
  readonly hasOffer: boolean;
}

/** Reads the instance metadata. The error names the member that is missing or wrong. Source: wire-protocol 7.3. */
export function readInstance(text: string): Result<InstanceFacts, string> {
  const parsed = parseStrictJson(text);
  if (!parsed.ok) return err(`no valid JSON: ${parsed.error.code}`);
  const compute = parsed.value instanceof Map ? parsed.value.get("compute") : undefined;
  if (!(compute instanceof Map)) return err("compute is no object");
  const facts: string[] = [];
  for (const name of ["subscriptionId", "resourceGroupName", "vmId"]) {
    const value: unknown = compute.get(name);
    if (typeof value !== "string" || value.length > LONGEST_FACT) {
      return err(`compute.${name} is missing, no text or too long`);
    }
    facts.push(value);
  }
  const [subscriptionId = "", resourceGroupName = "", vmId = ""] = facts;
  const offer: unknown = compute.get("offer");
  const hasOffer = typeof offer === "string" && offer !== "";
  return ok({ subscriptionId, resourceGroupName, vmId, hasOffer });
}
