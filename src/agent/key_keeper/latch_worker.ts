import { type LatchedKey, latchedKey } from "../../domain/endorsement/mod.ts";
import { isKeyGuid, type KeyGuid, parseKeyFile } from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError, type ErrorCode } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HostChannel } from "../host/mod.ts";
import type { KeyStage, KeyStore } from "./key_store.ts";
import type { Grant, LatchEffect, LatchEvent } from "./latch.ts";

/** Why a step on the way to a key failed, in the words of the status document. */
export interface LatchFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What became of an effect. */
export interface LatchOutcome {
  readonly event: LatchEvent;
  readonly failure: LatchFailure | null;
}

/** Performs what the latch asks for: the host is spoken to, keys are stored and read. Decides nothing. */
export class LatchWorker {
  readonly #host: HostChannel;
  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** The key that was last found or attested: its file stays, however old it is. */
  #inUse: KeyGuid | null = null;

  constructor(host: HostChannel, store: KeyStore, clock: Clock, logger: Logger) {
    this.#host = host;
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Performs one effect. Failures of host and store are outcomes; anything else is thrown. */
  async perform(effect: LatchEffect, signal: AbortSignal): Promise<LatchOutcome> {
    switch (effect.kind) {
      case "load":
        return success(await this.#load(effect.guid));
      case "prove":
        return await this.#try(
          "Failed to prove the stored key: ",
          () => this.#prove(effect.key, signal),
        );
      case "acquire":
        return await this.#try("Failed to acquire key details: ", () => this.#acquire(signal));
      case "store":
        return await this.#try(
          "Failed to save key details to file: ",
          () => this.#save(effect.grant),
        );
      case "check": {
        const { guid } = effect.grant.document;
        return await this.#try(
          `Failed to check the key '${guid}' details saved locally: `,
          () => this.#check(effect.grant),
          ".",
        );
      }
      case "attest":
        return await this.#try(
          "Failed to attest the key: ",
          () => this.#attest(effect.key, effect.found, signal),
        );
    }
  }

  /** The key of that id that the host is known to have latched; `null` when none is stored or it is unusable. */
  async attestedKey(guid: KeyGuid): Promise<LatchedKey | null> {
    return await this.#loadStage(guid, "attested");
  }

  async #load(guid: KeyGuid): Promise<LatchEvent> {
    for (const stage of ["attested", "issued"] as const) {
      const key = await this.#loadStage(guid, stage);
      if (key !== null) return { kind: "loaded", key, stage };
    }
    return { kind: "none-stored" };
  }

  /** `null` when there is no such key or it is unusable, which is the same to the latch but not to the log. */
  async #loadStage(guid: KeyGuid, stage: KeyStage): Promise<LatchedKey | null> {
    const unusable = (code: string, cause: string) => {
      this.#logger.warn("stored key is unusable", { guid, stage, code, cause });
      return null;
    };
    try {
      const text = await this.#store.read(guid, stage);
      if (text === null) return null;
      const parsed = parseKeyFile(text, guid);
      if (!parsed.ok) return unusable(parsed.error.code, parsed.error.message);
      const key = latchedKey(parsed.value);
      if (!key.ok) return unusable(key.error, "the key is not made of hex digits");
      this.#inUse = guid;
      return key.value;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return unusable(error.code, error.message);
    }
  }

  /** Whether the host takes the signature of a stored key. */
  async #prove(key: LatchedKey, signal: AbortSignal): Promise<LatchEvent> {
    try {
      await this.#host.attestKey(key, signal);
    } catch (error) {
      const isWrong = error instanceof AgentError && error.code === "HOST_STATUS" &&
        WRONG_SIGNATURE.has(Number(error.detail["status"]));
      if (!isWrong) throw error;
      this.#logger.warn("stored key was refused", { guid: key.guid, cause: error.message });
      return { kind: "none-stored" };
    }
    return { kind: "proven" };
  }

  async #acquire(signal: AbortSignal): Promise<LatchEvent> {
    const document = await this.#host.acquireKey(signal);
    const key = latchedKey(document);
    if (!key.ok) {
      throw new AgentError("HOST_DOCUMENT", "acquire a key: the key is not made of hex digits");
    }
    return { kind: "granted", grant: { document, key: key.value } };
  }

  async #save(grant: Grant): Promise<LatchEvent> {
    await this.#store.open();
    await this.#store.write(grant.document.guid, grant.document.fileText());
    await this.#tidy(grant.document.guid);
    return { kind: "stored", grant };
  }

  async #check(grant: Grant): Promise<LatchEvent> {
    const { guid } = grant.document;
    const text = await this.#store.read(guid, "issued");
    const parsed = text === null ? null : parseKeyFile(text, guid);
    if (parsed === null || !parsed.ok || !parsed.value.sameKey(grant.document)) {
      throw new AgentError(
        "KEY_STORE_MISMATCH",
        `read the key \`${guid}\` back: not what was stored`,
      );
    }
    return { kind: "checked", grant };
  }

  async #attest(key: LatchedKey, found: boolean, signal: AbortSignal): Promise<LatchEvent> {
    try {
      await this.#host.attestKey(key, signal);
    } catch (error) {
      // The host will not have this key. One that was found has then no use, whatever the file promised.
      if (found && isRefusal(error)) {
        this.#logger.warn("stored key was refused", { guid: key.guid, cause: error.message });
        return { kind: "none-stored" };
      }
      throw error;
    }
    await this.#promote(key);
    return { kind: "attested", key, nowMs: this.#clock.monotonicMs() };
  }

  /** The host has latched the key, so it is used even if its file could not get its final name: a restart attests it again. */
  async #promote(key: LatchedKey): Promise<void> {
    if (!isKeyGuid(key.guid)) return;
    this.#inUse = key.guid;
    try {
      await this.#store.promote(key.guid);
      await this.#tidy(key.guid);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#logger.error("attested key is not marked as such", {
        guid: key.guid,
        code: error.code,
        cause: error.message,
      });
    }
  }

  async #tidy(wanted: KeyGuid): Promise<void> {
    const keep = this.#inUse === null ? [wanted] : [wanted, this.#inUse];
    try {
      const removed = await this.#store.prune(keep);
      if (removed > 0) this.#logger.info("old keys removed", { removed });
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#logger.warn("old keys stay", { code: error.code, cause: error.message });
    }
  }

  async #try(what: string, work: () => Promise<LatchEvent>, end = ""): Promise<LatchOutcome> {
    try {
      return success(await work());
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const failure = { code: error.code, message: `${what}${error.message}${end}` };
      return { event: { kind: "failed" }, failure };
    }
  }
}

/** How a host answers a request whose signature is not the one it expects. */
const WRONG_SIGNATURE: ReadonlySet<number> = new Set([401, 403]);

/** Whether the host said no, rather than that it could not say. */
function isRefusal(error: unknown): error is AgentError {
  if (!(error instanceof AgentError) || error.code !== "HOST_STATUS") return false;
  const status = error.detail["status"];
  return typeof status === "number" && status >= 400 && status < 500;
}

function success(event: LatchEvent): LatchOutcome {
  return { event, failure: null };
}
