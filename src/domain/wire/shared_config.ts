import { err, ok, type Result } from "../../runtime/result.ts";
import { LONGEST_FACT } from "./goal_state.ts";
import { attributeOf, descendant, type XmlElement } from "./xml_element.ts";

/** What telemetry needs of the shared configuration. */
export interface SharedConfig {
  readonly tenantName: string;
  readonly roleName: string;
  readonly roleInstanceName: string;
}

/** Reads a shared configuration. The error names the attribute that is missing. Source: wire-protocol 7.2. */
export function readSharedConfig(root: XmlElement): Result<SharedConfig, string> {
  const tenantName = attributeOf(descendant(root, "Deployment"), "name");
  if (!isFact(tenantName)) return err("Deployment/@name is missing or too long");
  const roleName = attributeOf(descendant(root, "Role"), "name");
  if (!isFact(roleName)) return err("Role/@name is missing or too long");
  const roleInstanceName = attributeOf(descendant(root, "Instances", "Instance"), "id");
  if (!isFact(roleInstanceName)) return err("Instances/Instance/@id is missing or too long");
  return ok({ tenantName, roleName, roleInstanceName });
}

function isFact(value: string | null): value is string {
  return value !== null && value.length <= LONGEST_FACT;
}
