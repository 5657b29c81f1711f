/**
 * Whether the VM is provisioned: three flags, a time limit, the answer to `/provision`, and the tag files.
 *
 * Not for: getting ready (the parts do), and the HTTP around the answer (`agent/proxy`).
 *
 * Source: wire-protocol 10.2, agent 4.5 and 6.
 * @module
 */
export { type PollControl, ProvisionEndpoint } from "./answer.ts";
export {
  type ProvisionTags,
  Readiness,
  type ReadinessFlag,
  type ReadinessOptions,
} from "./readiness.ts";
export { TagFiles } from "./tag_files.ts";
