import type { RuleFiles, RuleFileText } from "../../src/agent/key_keeper/mod.ts";
import type { RuleFileState } from "../../src/domain/policy/mod.ts";
import type { EndpointName } from "../../src/domain/wire/mod.ts";
import { AgentError } from "../../src/runtime/errors.ts";

/** Rule files in memory. */
export class MemoryRuleFiles implements RuleFiles {
  /** What was asked, in order: `look imds`, `read imds`. */
  readonly calls: string[] = [];
  /** Why looking fails, by endpoint. */
  readonly unusable = new Map<EndpointName, string>();
  /** How many readings fail from now on. */
  failingReads = 0;
  canOpen = true;
  readonly #texts = new Map<EndpointName, { readonly text: string; readonly version: number }>();
  #version = 0;

  /** Writes a file anew, `null` to remove it. */
  put(endpoint: EndpointName, content: unknown): void {
    if (content === null) {
      this.#texts.delete(endpoint);
      return;
    }
    const text = typeof content === "string" ? content : JSON.stringify(content);
    this.#texts.set(endpoint, { text, version: ++this.#version });
  }

  open(): Promise<void> {
    if (this.canOpen) return Promise.resolve();
    return Promise.reject(new AgentError("RULE_FILES", "open fails by request"));
  }

  look(endpoint: EndpointName): Promise<RuleFileState> {
    this.calls.push(`look ${endpoint}`);
    const cause = this.unusable.get(endpoint);
    if (cause !== undefined) return Promise.resolve({ kind: "error", cause });
    const file = this.#texts.get(endpoint);
    return Promise.resolve(
      file === undefined
        ? { kind: "missing" }
        : { kind: "present", fingerprint: `${file.version}` },
    );
  }

  read(endpoint: EndpointName): Promise<RuleFileText> {
    this.calls.push(`read ${endpoint}`);
    const file = this.#texts.get(endpoint);
    if (file === undefined || this.failingReads-- > 0) {
      return Promise.reject(new AgentError("RULE_FILES", "read fails by request"));
    }
    return Promise.resolve({ text: file.text, fingerprint: `${file.version}` });
  }
}
