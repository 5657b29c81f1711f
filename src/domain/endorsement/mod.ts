/**
 * Signs permitted requests, byte for byte what is sent. `endorse.ts` is the only maker of requests that may be forwarded,
 * `secret_key.ts` the only holder of key bytes.
 *
 * Source: wire-protocol 2, 2.1 and 5.
 * @module
 */
export * from "./endorse.ts";
export * from "./host_date.ts";
export * from "./own_request.ts";
export * from "./secret_key.ts";
export * from "./signing_query.ts";
export * from "./string_to_sign.ts";
