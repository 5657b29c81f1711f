import type { EpochStore } from "../../src/agent/key_keeper/mod.ts";
import { AgentError } from "../../src/runtime/errors.ts";

/** An epoch in memory. Single operations can be made to fail. */
export class MemoryEpochStore implements EpochStore {
  readonly failing = new Set<"read" | "write" | "clear">();

  constructor(public kept: number | null = null) {}

  read(): Promise<number | null> {
    if (this.failing.has("read")) return failure("EPOCH_STORE_READ", "read");
    return Promise.resolve(this.kept);
  }

  write(epoch: number): Promise<void> {
    if (this.failing.has("write")) return failure("EPOCH_STORE_WRITE", "write");
    this.kept = epoch;
    return Promise.resolve();
  }

  clear(): Promise<void> {
    if (this.failing.has("clear")) return failure("EPOCH_STORE_WRITE", "clear");
    this.kept = null;
    return Promise.resolve();
  }
}

function failure(code: "EPOCH_STORE_READ" | "EPOCH_STORE_WRITE", what: string): Promise<never> {
  return Promise.reject(new AgentError(code, `${what} fails by request`));
}
