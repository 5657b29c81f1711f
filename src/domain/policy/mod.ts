/**
 * Decides who may reach what. `authorize.ts` is the only maker of permits, and a request without a permit cannot be
 * endorsed. The policy of a moment is one immutable snapshot.
 *
 * Source: authorization 1.6, 2 and 7.2.
 * @module
 */
export * from "./authorize.ts";
export * from "./build.ts";
export * from "./refusal.ts";
export * from "./snapshot.ts";
