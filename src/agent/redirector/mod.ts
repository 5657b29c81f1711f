/**
 * @module
 * Sends the callers' connections to the listener: the interface that the operating system's side implements, and the loop
 * that keeps it attached. It knows which endpoints are redirected, not who may use them. Implements agent.md 7.1 and
 * 13 (2) and authorization 7.1 (W-03, W-05).
 */
export { Reconciler, type ReconcilerOptions, type TargetSource } from "./reconciler.ts";
export type {
  AttachedProgram,
  ConnectionLimits,
  Redirector,
  RedirectorIdentity,
  RedirectorReport,
  TargetModes,
} from "./redirector.ts";
