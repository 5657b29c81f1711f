import type { KeyGuid } from "../../domain/wire/mod.ts";

/**
 * How far a stored key got. `issued`: the host handed it out, and nothing proves that it latched it. `attested`: the host
 * accepted an attestation made with it.
 */
export type KeyStage = "issued" | "attested";

/** How many keys are kept when a new one is attested. Source: agent 12.3 (old keys lie around for ever). */
export const KEPT_KEYS: Readonly<Record<KeyStage, number>> = Object.freeze({
  issued: 3,
  attested: 10,
});

/**
 * Keeps keys over a restart, as text whose meaning it does not know. One writer, one process.
 * Implemented for Linux, and by a fake; the same conformance suite holds for all.
 *
 * DEVIATION D-54: the stage is part of the name: `{guid}.issued` becomes `{guid}.key` by one rename once the key is attested. So a file
 * `{guid}.key`, ours or that of another agent, means "attested" (wire-protocol 4.3 and S-45), and a crash between storing and
 * attesting leaves a file that cannot be taken for one.
 */
export interface KeyStore {
  /**
   * Creates the folder if it is missing and closes it to everybody else. Idempotent.
   * @throws AgentError KEY_STORE_WRITE
   */
  open(): Promise<void>;
  /**
   * The text stored under the id at that stage; `null` when there is none.
   * @throws AgentError KEY_STORE_READ, also when the file is not ours alone: foreign owner, readable by others, a link, too large
   */
  read(guid: KeyGuid, stage: KeyStage): Promise<string | null>;
  /**
   * Stores the text of an issued key, durably: it survives a power cut once this returns.
   * @throws AgentError KEY_STORE_WRITE
   */
  write(guid: KeyGuid, text: string): Promise<void>;
  /**
   * Turns the issued key of that id into an attested one, replacing an earlier one of the same id.
   * @throws AgentError KEY_STORE_WRITE
   */
  promote(guid: KeyGuid): Promise<void>;
  /**
   * When the attested key of that id was handed out, by the wall clock of then, milliseconds; `null` when there is none or
   * that cannot be told. Never rejects.
   */
  storedWallMs(guid: KeyGuid): Promise<number | null>;
  /**
   * Removes all but the newest keys of each stage (`KEPT_KEYS`); the keys in `keep` always stay. Returns how many went.
   * @throws AgentError KEY_STORE_WRITE
   */
  prune(keep: readonly KeyGuid[]): Promise<number>;
}
