/**
 * Request targets: how they are split, which bytes they may have, the guards that look at nothing else, and the canonical
 * form, in which all spellings of one request are the same value. Rules are brought into it by the same functions.
 *
 * Total and pure: every text has a canonical form or a code, and no input makes a function here throw. Cost is linear in the
 * text. No decision about access is made here, and no routing: where a request goes is decided by the socket alone, and it is
 * forwarded as it came, never as it is rendered.
 *
 * `canonicalize()` may read several spellings as one request; `strictTarget()` names the spellings that a server could read
 * as yet another one. In `enforce` both must be content.
 *
 * Source: wire-protocol 5.3, 5.6 and 9.3, authorization 2.4, 3.1, 3.6 to 3.17 and W-13.
 * @module
 */
export * from "./canonicalize.ts";
export * from "./codes.ts";
export { classifyAuthority, type Destination, namesOtherDestination } from "./destination.ts";
export * from "./embedded_query_client.ts";
export * from "./letter_case.ts";
export * from "./path.ts";
export { percentDecodeLossy, percentDecodeStrict } from "./percent.ts";
export * from "./query.ts";
export * from "./raw_target.ts";
export * from "./render.ts";
export * from "./signature_exempt.ts";
export * from "./strict_target.ts";
export * from "./target_syntax.ts";
export * from "./traversal_guard.ts";
