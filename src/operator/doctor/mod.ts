/**
 * Looks at an installed agent and at the machine around it, and says what is wrong and what to do. Every check only looks:
 * nothing is written, no request is made, no key is read. The bundle packs what somebody far away needs for the same.
 *
 * Not here: reading the command line and printing (`commands`), asking the kernel (`platform`).
 *
 * Source: agent 13 (operator tools).
 * @module
 */
export type { Check, Finding, Outcome } from "./check.ts";
export { CHECKS } from "./checks.ts";
export { packArchive } from "./archive.ts";
export { type BundleContents, collectBundle } from "./bundle.ts";
export { LocalMachine } from "./local_machine.ts";
export type {
  AttachPoint,
  Dialled,
  DoctorSettings,
  KernelView,
  LinkFacts,
  Machine,
  PlacedProgram,
  PlacedPrograms,
  ProgramFacts,
  RedirectionFacts,
  Space,
  TargetFacts,
} from "./machine.ts";
export { exitCodeOf, reportJson, reportText } from "./report_text.ts";
export { type CheckResult, type DoctorReport, runChecks } from "./run.ts";
export { Situation } from "./situation.ts";
