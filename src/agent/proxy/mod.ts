/**
 * The listener and the way of a request through the agent: guards, attribution, verdict, endorsement, forwarding, answer,
 * record. `pipeline.ts` is that way, top to bottom; `client_connection.ts` speaks HTTP/1.1 with the caller.
 *
 * Not for: deciding (`domain/policy`), signing (`domain/endorsement`), talking to the host (`agent/upstream`).
 *
 * Source: wire-protocol 9, 10.1 and 10.2; authorization 2, 7.4 and 7.5; design 1.
 * @module
 */
export type { CutReason } from "./client_connection.ts";
export type { ExchangeObserver, Stage, StageTimes } from "./exchange.ts";
export { PROXY_LIMITS, type ProxyLimits } from "./limits.ts";
export type { LocalEndpoints } from "./local_endpoints.ts";
export { Proxy, type ProxyOptions } from "./proxy.ts";
