import { err, ok, type Result } from "../../runtime/result.ts";
import { descendant, textOf, type XmlElement } from "./xml_element.ts";

/** Longer ones are not of this world. */
export const LONGEST_FACT = 256;
const LONGEST_URL = 2048;

/** What telemetry needs of the goal state. */
export interface GoalState {
  readonly containerId: string;
  /** As it stands in the document; whether it is a place to go to is decided by whoever goes there. */
  readonly sharedConfigUrl: string;
}

/**
 * Reads a goal state. The root's name, unknown elements and the order do not matter; nothing is required that is not used.
 * The error names what is missing. Source: wire-protocol 7.1.
 */
export function readGoalState(root: XmlElement): Result<GoalState, string> {
  const container = descendant(root, "Container", "ContainerId");
  const containerId = container === null ? "" : textOf(container);
  if (containerId === "" || containerId.length > LONGEST_FACT) {
    return err("Container/ContainerId is missing, empty or too long");
  }
  const path = ["RoleInstanceList", "RoleInstance", "Configuration", "SharedConfig"];
  const config = descendant(root, "Container", ...path);
  const sharedConfigUrl = config === null ? "" : textOf(config);
  if (sharedConfigUrl === "" || sharedConfigUrl.length > LONGEST_URL) {
    return err(`Container/${path.join("/")} is missing, empty or too long`);
  }
  return ok({ containerId, sharedConfigUrl });
}
