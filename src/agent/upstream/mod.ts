/**
 * The way to the host for callers' requests: pooled HTTP/1.1 connections, opened only for a request that was authorised
 * and endorsed, and bounded in number, memory and time.
 *
 * For: `agent/proxy`. Not for: the agent's own requests (`agent/host`), and not for deciding anything: what may be sent is
 * a `Forwardable`, and it is sent byte for byte.
 *
 * Source: wire-protocol 9.5, 9.6, 12 (S-1, S-36); authorization W-23; performance 2.
 * @module
 */
export { StaleConnectionError } from "./errors.ts";
export { UPSTREAM_LIMITS, type UpstreamLimits } from "./limits.ts";
export type { HostSocket, OnSlow } from "./host_connection.ts";
export type { TakeAnswer, UpstreamResponse } from "./response.ts";
export type { DialHost, PoolReport } from "./pool.ts";
export { dialHost, Upstream, type UpstreamOptions } from "./upstream.ts";
