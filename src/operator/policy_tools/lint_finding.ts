/** What the linter finds. Stable words. */
export type LintCode =
  | "path-matches-everything"
  | "path-without-slash"
  | "path-has-query"
  | "path-escaped"
  | "path-not-plain"
  | "path-ends-with-slash"
  | "parameter-repeated"
  | "privilege-unassigned"
  | "privilege-shadowed"
  | "privilege-overridden"
  | "role-unassigned"
  | "role-empty"
  | "assignment-empty"
  | "identity-unassigned"
  | "identity-without-selector"
  | "identity-cannot-be-met"
  | "identity-interpreter"
  | "identity-name-only"
  | "identity-repeated"
  | "exe-writable"
  | "exe-missing"
  | "nothing-enforced"
  | "everything-allowed"
  | "everything-denied"
  | "member-unused"
  | "lint-cut-short";

/**
 * Something about rules. `error`: they would not be accepted. `warning`: they do something else than their author is likely to
 * think. `note`: worth knowing.
 */
export interface Finding<C extends string = string> {
  readonly severity: "error" | "warning" | "note";
  readonly code: C;
  /** JSON path. */
  readonly path: string;
  readonly message: string;
}

/** Most findings of one code that are listed; more of the same say nothing new. */
export const MAX_FINDINGS_OF_A_CODE = 100;

/** Collects what the linter finds, so many of each kind. */
export class LintFindings {
  readonly #found: Finding<LintCode>[] = [];
  readonly #counts = new Map<LintCode, number>();
  #omitted = 0;

  add(severity: Finding["severity"], code: LintCode, path: string, message: string): void {
    const count = this.#counts.get(code) ?? 0;
    this.#counts.set(code, count + 1);
    if (count < MAX_FINDINGS_OF_A_CODE) this.#found.push({ severity, code, path, message });
    else this.#omitted++;
  }

  get found(): readonly Finding<LintCode>[] {
    return this.#found;
  }

  /** How many are not listed. */
  get omitted(): number {
    return this.#omitted;
  }
}

/** A name from a document as a message shows it. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60).toWellFormed()}…` : name);
}
