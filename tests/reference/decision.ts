import type { ItemDocument, Triple } from "./documents.ts";
import { compileReference, evaluateLegacy } from "./legacy.ts";

/** The three outcomes. Source: authorization 2.5. */
export type Outcome = "allow" | "flag" | "deny";

/** Whether the request is one of the two uploads. Source: authorization 2.4. */
export function isExemptReference(method: string, target: string): boolean {
  const lowered = target.toLowerCase();
  return (method === "PUT" && lowered === "/vmagentlog") ||
    (method === "POST" && lowered === "/machine/?comp=telemetrydata");
}

/**
 * The decision as the specification's own agent makes it; `item` null: none is installed. Traversal is not looked at, as that
 * guard runs before. Source: authorization 2.5.
 */
export function decideReference(
  triple: Omit<Triple, "item"> & { readonly item: ItemDocument | null },
): Outcome {
  const { item, endpoint, method, target, caller } = triple;
  if (isExemptReference(method, target) && caller.runAsElevated) return "allow";
  if (endpoint !== "imds" && !caller.runAsElevated) return "deny";
  if (item === null) return "allow";
  const compiled = compileReference(item);
  if (evaluateLegacy(compiled, target, caller)) return "allow";
  return compiled.mode === "audit" ? "flag" : "deny";
}

/**
 * The decision of this product: `decideReference()` with its deviations. D-02: what is not elevated is refused only where the
 * mode enforces. D-14: the uploads are exempt only on the privileged endpoints.
 */
export function decideProduct(
  triple: Omit<Triple, "item"> & { readonly item: ItemDocument | null },
  rulesAllow: boolean,
  mode: string,
): Outcome {
  const { endpoint, method, target, caller } = triple;
  const privileged = endpoint !== "imds";
  if (privileged && isExemptReference(method, target) && caller.runAsElevated) return "allow";
  const objection = (privileged && !caller.runAsElevated) || !rulesAllow;
  if (!objection) return "allow";
  return mode === "enforce" ? "deny" : "flag";
}
