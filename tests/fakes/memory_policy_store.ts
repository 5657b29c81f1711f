import type { PolicyStore } from "../../src/agent/key_keeper/mod.ts";
import { AgentError } from "../../src/runtime/errors.ts";

/** A kept policy in memory. Single operations can be made to fail. */
export class MemoryPolicyStore implements PolicyStore {
  readonly failing = new Set<"read" | "write" | "clear">();
  text: string | null = null;
  writes = 0;

  read(): Promise<string | null> {
    return this.failing.has("read") ? failure("POLICY_STORE_READ") : Promise.resolve(this.text);
  }

  write(text: string): Promise<void> {
    if (this.failing.has("write")) return failure("POLICY_STORE_WRITE");
    this.text = text;
    this.writes++;
    return Promise.resolve();
  }

  clear(): Promise<void> {
    if (this.failing.has("clear")) return failure("POLICY_STORE_WRITE");
    this.text = null;
    return Promise.resolve();
  }
}

function failure(code: "POLICY_STORE_READ" | "POLICY_STORE_WRITE"): Promise<never> {
  return Promise.reject(new AgentError(code, "fails by request"));
}
