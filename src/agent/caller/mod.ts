/**
 * @module
 * Who is calling: turns what the kernel noted about a connection into a caller with an account and a proof of its
 * executable. It decides nothing about the caller. Implements authorization 5 and 7.1 (W-01, W-02, W-06, W-11).
 */
export type { Accounts, InspectedProcess, Inspector } from "./inspector.ts";
export { type CallerResolver, type ResolvedCaller, Resolver } from "./resolver.ts";
