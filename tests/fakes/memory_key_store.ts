import type { KeyStage, KeyStore } from "../../src/agent/key_keeper/mod.ts";
import type { KeyGuid } from "../../src/domain/wire/mod.ts";
import { AgentError } from "../../src/runtime/errors.ts";

/** Keys in memory. Single operations can be made to fail. */
export class MemoryKeyStore implements KeyStore {
  /** Stored texts by `{guid} {stage}`, oldest first. */
  readonly texts = new Map<string, string>();
  /** Operations that fail from now on. */
  readonly failing = new Set<"open" | "read" | "write" | "promote" | "prune">();
  opened = 0;

  constructor(
    readonly kept: Readonly<Record<KeyStage, number>> = { issued: 3, attested: 10 },
  ) {}

  open(): Promise<void> {
    this.opened++;
    return this.#attempt("open", "KEY_STORE_WRITE", () => {});
  }

  read(guid: KeyGuid, stage: KeyStage): Promise<string | null> {
    return this.#attempt(
      "read",
      "KEY_STORE_READ",
      () => this.texts.get(`${guid} ${stage}`) ?? null,
    );
  }

  write(guid: KeyGuid, text: string): Promise<void> {
    return this.#attempt("write", "KEY_STORE_WRITE", () => this.#put(guid, "issued", text));
  }

  promote(guid: KeyGuid): Promise<void> {
    return this.#attempt("promote", "KEY_STORE_WRITE", () => {
      const text = this.texts.get(`${guid} issued`);
      if (text === undefined) throw new AgentError("KEY_STORE_WRITE", "no such issued key");
      this.texts.delete(`${guid} issued`);
      this.#put(guid, "attested", text);
    });
  }

  storedWallMs(guid: KeyGuid): Promise<number | null> {
    return Promise.resolve(this.texts.has(`${guid} attested`) ? Date.now() : null);
  }

  prune(keep: readonly KeyGuid[]): Promise<number> {
    return this.#attempt("prune", "KEY_STORE_WRITE", () => {
      let removed = 0;
      for (const stage of ["issued", "attested"] as const) {
        const newestFirst = [...this.texts.keys()].reverse()
          .filter((name) => name.endsWith(` ${stage}`));
        for (const name of newestFirst.slice(this.kept[stage])) {
          if (keep.some((guid) => name.startsWith(guid))) continue;
          this.texts.delete(name);
          removed++;
        }
      }
      return removed;
    });
  }

  /** Newest last, whatever was there before. */
  #put(guid: KeyGuid, stage: KeyStage, text: string): void {
    this.texts.delete(`${guid} ${stage}`);
    this.texts.set(`${guid} ${stage}`, text);
  }

  #attempt<T>(
    operation: "open" | "read" | "write" | "promote" | "prune",
    code: "KEY_STORE_READ" | "KEY_STORE_WRITE",
    work: () => T,
  ): Promise<T> {
    if (this.failing.has(operation)) {
      return Promise.reject(new AgentError(code, `${operation} fails by request`));
    }
    try {
      return Promise.resolve(work());
    } catch (error) {
      return Promise.reject(error);
    }
  }
}
