import type { Check } from "./check.ts";
import { configuration, disk, keyFile, permissions } from "./checks/files.ts";
import { clock, keyLatch, logErrors, statusDocument } from "./checks/health.ts";
import {
  controlSocket,
  listenerOwner,
  otherAgents,
  runningVersion,
  serviceUnit,
} from "./checks/process.ts";
import { auditChain, ruleDocuments } from "./checks/records.ts";
import {
  agentProcess,
  attachPoints,
  bypassProbes,
  foreignPrograms,
  occupancy,
  pins,
} from "./checks/redirection.ts";
import { bpfObject, btf, cgroup, kernelVersion, library, rights } from "./checks/system.ts";

/** Every check, causes before consequences: whoever reads from the top meets what to mend first. */
export const CHECKS: readonly Check[] = Object.freeze([
  rights,
  configuration,
  kernelVersion,
  btf,
  library,
  cgroup,
  bpfObject,
  disk,
  permissions,
  serviceUnit,
  pins,
  attachPoints,
  agentProcess,
  listenerOwner,
  otherAgents,
  foreignPrograms,
  bypassProbes,
  occupancy,
  statusDocument,
  controlSocket,
  keyLatch,
  keyFile,
  runningVersion,
  clock,
  ruleDocuments,
  logErrors,
  auditChain,
]);
