import type { RuleFileState } from "../../domain/policy/mod.ts";
import type { EndpointName } from "../../domain/wire/mod.ts";

/** Names of the administrator's rule files. DEVIATION D-100: HostGAPlugin has one of its own. Source: authorization 4.1, W-09. */
export const RULE_FILE_NAMES: Readonly<Record<EndpointName, string>> = Object.freeze({
  wireserver: "WireServer_Rules.json",
  imds: "IMDS_Rules.json",
  hostga: "HostGA_Rules.json",
});

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
