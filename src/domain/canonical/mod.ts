/**
 * Request targets as text: how they are split, which bytes they may have, and the guards that look at nothing else.
 * No decoding for routing: where a request goes is decided by the socket alone.
 *
 * Source: wire-protocol 5.3, 5.6 and 9.3, authorization 2.4 and 3.6.
 * @module
 */
export * from "./raw_target.ts";
export * from "./signature_exempt.ts";
export * from "./target_syntax.ts";
export * from "./traversal_guard.ts";
