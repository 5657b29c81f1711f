/**
 * Keeps the secure channel: polls the host, acquires, stores, attests and reloads the key, and publishes channel, key,
 * policy and targets as one immutable snapshot with one writer.
 *
 * With the policy go the administrator's local rule files and the number that each installed policy has.
 *
 * Not for: what a status document means (`domain/wire`, `domain/policy`), how the host is spoken to (`agent/host`), where
 * keys are kept (`platform`), and when provisioning counts as finished (`agent/provision`).
 *
 * Source: wire-protocol 3, 4 and 12; agent 1.5, 3.5 and 13; authorization 1.7, 4 and 9.4.
 * @module
 */
export { Epochs, type EpochStore } from "./epochs.ts";
export { KeyKeeper, type KeyKeeperOptions } from "./keeper.ts";
export { KEPT_KEYS, type KeyStage, type KeyStore } from "./key_store.ts";
export { type HeldKey, type Latch, type LatchEffect, type LatchEvent } from "./latch.ts";
export type { PolicyStore } from "./policy_memory.ts";
export type { RuleFiles, RuleFileText } from "./rule_files.ts";
export {
  type AgentSnapshot,
  initialSnapshot,
  mayGoUnsigned,
  type SecureChannelState,
} from "./snapshot.ts";
