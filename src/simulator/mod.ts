/**
 * The platform's host as a part of the product: WireServer, HostGAPlugin and IMDS on plain sockets, with the secure
 * channel, verification of signatures on the bytes as they arrived, a policy that can be changed while it runs, key
 * rotation, faults on purpose, and a journal of what it saw. What it verifies is what we believe the host does.
 *
 * For: developing policies without a cloud, rehearsing upgrades, the demo, and tests. Not for: anything that trusts its
 * answers; its tokens are good for nothing.
 *
 * Source: wire-protocol 3, 4, 5, 7, 9.9, 11.
 * @module
 */
export { controlApp, state } from "./control.ts";
export { type Fault, type FaultKind, FaultList, parseFaults } from "./faults.ts";
export {
  DEFAULT_HOST_OPTIONS,
  type HostOptions,
  SimulatedHost,
  type VerdictCounts,
} from "./host.ts";
export { Journal, type JournalEntry, type JournalLine, journalLine } from "./journal.ts";
export { type HostKey, type KeyNaming, KeyRing, type KeyStanding } from "./keys.ts";
export { DEFAULT_POLICY, type HostMode, hostMode, type HostPolicy, parsePolicy } from "./policy.ts";
export type { Answer, HostRequest } from "./request.ts";
export {
  type ControlAddress,
  DEFAULT_ADDRESSES,
  type Simulator,
  type SimulatorAddresses,
  startSimulator,
} from "./simulator.ts";
export { bytesToSign, signatureOf } from "./canonical.ts";
export type { BadSignature, Verdict } from "./verify.ts";
