/**
 * What the agent says about itself: the health of its parts, the aggregate status as document and file, and the dumps of
 * installed rules. It reads what others report and changes nothing.
 *
 * Source: agent 3.6, 4 and 8, wire-protocol 10.3, authorization 6.5 and 6.7.
 * @module
 */
export {
  AggregateStatus,
  type AggregateStatusOptions,
  type ModuleParts,
  type RequestCounts,
} from "./aggregate_status.ts";
export { HealthBoard, type PartHealth } from "./health.ts";
export { isLogFolderEntry } from "./log_folder.ts";
export { isRuleDump, RuleDumps, type RuleDumpsOptions, ruleDumpSteps } from "./rule_dumps.ts";
export { STATUS_FILE_NAME, StatusWriter, type StatusWriterOptions } from "./writer.ts";
