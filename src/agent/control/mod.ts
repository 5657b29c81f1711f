/**
 * What an operator can ask a running agent: a root-only Unix socket with status, metrics, live decisions, the policy in
 * force, who a caller is and what exactly runs; and the same metrics pushed to a collector where one is configured.
 *
 * It looks at what other rooms know and changes nothing. A request is never held up by it: counting is arithmetic in arrays
 * that exist, and a reader of live decisions who is slow is dropped.
 *
 * Source: agent 12.6, 13 items 11 and 12; docs/adr/0016-control-socket.md.
 * @module
 */
export {
  CONTROL_LIMITS,
  type ControlLimits,
  ControlServer,
  type ControlServerOptions,
} from "./control_server.ts";
export { DecisionFeed } from "./decision_feed.ts";
export type { DecisionLine } from "./decision_line.ts";
export type { QueueReport, Sources } from "./sources.ts";
export { KeyAge } from "./key_age.ts";
export { ControlObserver } from "./observer.ts";
export { type OtlpOptions, OtlpPush } from "./otlp_push.ts";
export { RequestMetrics } from "./request_metrics.ts";
export { RequestTrace } from "./request_trace.ts";
