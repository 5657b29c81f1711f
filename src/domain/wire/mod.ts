/**
 * The documents and messages that pass between agent, host and callers, as types: parsed from what arrived, written as
 * it must leave. No I/O, no decisions about access.
 *
 * Source: wire-protocol 1 to 4, 10.2 and 10.3, agent 4.2.
 * @module
 */
export * from "./client_request.ts";
export * from "./endpoints.ts";
export * from "./headers.ts";
