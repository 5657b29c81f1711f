/**
 * The listener and the way of a request through the agent: guards, attribution, verdict, endorsement, forwarding, answer,
 * record. `pipeline.ts` is that way, top to bottom; `listener.ts` is the only file that knows the HTTP server.
 *
 * Not for: deciding (`domain/policy`), signing (`domain/endorsement`), talking to the host (`agent/upstream`).
 *
 * Source: wire-protocol 9, 10.1 and 10.2; authorization 2, 7.4 and 7.5; design 1.
 * @module
 */
export type { AcceptedSocket, AcceptedSockets } from "./accepted_sockets.ts";
export { PROXY_LIMITS, type ProxyLimits } from "./limits.ts";
export type { LocalEndpoints } from "./local_endpoints.ts";
export { Proxy, type ProxyOptions } from "./proxy.ts";
export type { CutReason } from "./reaper.ts";
