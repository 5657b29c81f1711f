import type { RuleFileState } from "../../domain/policy/mod.ts";
import type { EndpointName } from "../../domain/wire/mod.ts";

/** The text of a rule file, and the state it was read in. */
export interface RuleFileText {
  readonly text: string;
  readonly fingerprint: string;
}

/**
 * The rule files of the administrator. Implemented by the platform, and by a fake. A file that somebody else could have
 * written, or that is no plain file, is an error and never read (authorization W-12).
 */
export interface RuleFiles {
  /** Creates the folder if it is missing and closes it to everybody else. @throws AgentError RULE_FILES */
  open(): Promise<void>;
  /** The state of the endpoint's file, and of the folder with it; never throws for what is wrong with either. */
  look(endpoint: EndpointName): Promise<RuleFileState>;
  /** The text of the endpoint's file. @throws AgentError RULE_FILES */
  read(endpoint: EndpointName): Promise<RuleFileText>;
}
