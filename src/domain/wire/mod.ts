/**
 * The documents and messages that pass between agent, host and callers, as types: parsed from what arrived, written as
 * it must leave. No I/O, no decisions about access.
 *
 * Source: wire-protocol 1 to 4, 7, 8, 10.2 and 10.3, agent 4.2.
 * @module
 */
export { canonicalJson, canonicalJsonPieces, isJsonObject } from "./canonical_json.ts";
export * from "./channel_state.ts";
export * from "./client_request.ts";
export { type DocumentCode, type DocumentFault, documentFault } from "./document_reader.ts";
export * from "./endpoints.ts";
export { type GoalState, readGoalState } from "./goal_state.ts";
export * from "./headers.ts";
export {
  type KeyStatus,
  keyStatusDocument,
  parseKeyStatus,
  parseKeyStatusSteps,
} from "./key_status.ts";
export { type InstanceFacts, readInstance } from "./instance.ts";
export * from "./latched_key.ts";
export { MAX_MODULE_MESSAGE_BYTES } from "./module_message.ts";
export * from "./provision_answer.ts";
export { reasonPhrase } from "./reason_phrase.ts";
export {
  type AuthorizationItem,
  type AuthorizationRules,
  type Identity,
  itemDocument,
  itemReader,
  type LocalRules,
  type Mode,
  parseAuthorizationItem,
  parseLocalRules,
  parseLocalRulesSteps,
  parseRuleDescriptor,
  type Privilege,
  type Role,
  type RoleAssignment,
  type RuleDescriptor,
  ruleSchema,
  type RuleSchemaName,
  type RuleSet,
} from "./rules_document.ts";
export { readSharedConfig, type SharedConfig } from "./shared_config.ts";
export * from "./status_document.ts";
export * from "./strict_json.ts";
export * from "./telemetry_event.ts";
export * from "./telemetry_xml.ts";
export * from "./text_cut.ts";
export * from "./text_decode.ts";
export type { XmlElement } from "./xml_element.ts";
