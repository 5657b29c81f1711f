/**
 * Decides who may reach what. Rules are compiled once (`compileItem`, `compileSteps`), asked by two matchers (`evaluate`), and
 * put together with the platform's defaults and the mode (`decide`). `authorize()` is the only maker of permits, and a request
 * without a permit cannot be endorsed. The policy of a moment is one immutable snapshot.
 *
 * Not here: reading documents (`wire`), canonical forms (`canonical`), files, clocks and polling (`agent/key_keeper`).
 *
 * Source: authorization 1.4 to 1.6, 2, 3, 7.2, 7.3 and 9.5.
 * @module
 */
export * from "./authorize.ts";
export * from "./build.ts";
export { type CanonicalPattern, canonicalPattern, type PatternFault } from "./canonical_matcher.ts";
export {
  type Compilation,
  type CompileCode,
  type CompiledItem,
  type CompileFinding,
  compileItem,
  type CompileOptions,
  compileSteps,
} from "./compile.ts";
export * from "./decide.ts";
export { divergenceLine } from "./divergence.ts";
export { evaluate } from "./evaluate.ts";
export * from "./explain.ts";
export { failingSelector, type PathFlavour, pathKey, type Selector } from "./identity_matcher.ts";
export * from "./local_merge.ts";
export * from "./local_state.ts";
export * from "./question.ts";
export * from "./refusal.ts";
export { type IdentityFragment, type Remedy, type RuleFragment } from "./remedy.ts";
export { selfTest, type SelfTestFailure, type SelfTestReport } from "./self_test_run.ts";
export * from "./snapshot.ts";
export { type GuardedTarget, guardTarget } from "./target_guard.ts";
export { ruleSetFault, ruleSetFaultSteps } from "./validate.ts";
