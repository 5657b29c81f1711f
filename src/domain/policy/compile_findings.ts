import { jsonPathStep } from "../wire/strict_json.ts";

export type CompileCode =
  | "not-canonical"
  | "too-many-grants"
  | "too-many-parameters"
  | "list-missing"
  | "duplicate-name"
  | "unknown-role"
  | "unknown-privilege"
  | "unknown-identity";

/** Something about an item that its author should know. An `error` keeps the item from being installed. */
export interface CompileFinding {
  readonly severity: "error" | "warning";
  readonly code: CompileCode;
  /** JSON path. */
  readonly path: string;
  readonly message: string;
}

/** Most findings of one severity; more say nothing new. */
export const MAX_FINDINGS = 200;

/** Collects findings; `at` is the JSON path of the rules. */
export class Findings {
  readonly found: CompileFinding[] = [];
  #errors = 0;
  #warnings = 0;

  constructor(private readonly at: string) {}

  error(code: CompileCode, path: string, message: string): void {
    if (this.#errors++ < MAX_FINDINGS) this.#add("error", code, path, message);
  }

  warn(code: CompileCode, path: string, message: string): void {
    if (this.#warnings++ < MAX_FINDINGS) this.#add("warning", code, path, message);
  }

  duplicate(list: string, position: number): void {
    const message = "the name was used before; the later definition counts";
    this.warn("duplicate-name", `.${list}[${position}].name`, message);
  }

  unknown(what: "role" | "privilege" | "identity", path: string, name: string): void {
    this.warn(`unknown-${what}`, path, `there is no ${what} ${jsonPathStep(name)}`);
  }

  #add(
    severity: CompileFinding["severity"],
    code: CompileCode,
    path: string,
    message: string,
  ): void {
    this.found.push({ severity, code, path: this.at + path, message });
  }
}
