import type { ConnectionRecord } from "./connection_record.ts";

declare const redacted: unique symbol;
/** Text that went through redaction. Only `redaction.ts` makes it. */
export type RedactedText = string & { readonly [redacted]: true };

/** Name and groups of a user. */
export interface Account {
  readonly userName: string;
  /** Group names, the primary group first. */
  readonly groups: readonly string[];
}

/** Why an executable could not be proven. Stable words: they stand in audit records. */
export type ExeDoubt =
  | "process-gone"
  | "process-replaced"
  | "executable-changed"
  | "foreign-namespace"
  | "path-not-resolvable"
  | "path-other-file"
  | "file-writable-by-others"
  | "no-kernel-facts"
  | "path-not-utf8";

/** Whether the executable's path is proven. Rules look at the verified variant only. Source: authorization 7.1, W-02 and W-06. */
export type ExeProof =
  | { readonly kind: "verified"; readonly path: string }
  /** `shownPath` is display text and matches no rule; `pathHex` has its bytes where they are no UTF-8. */
  | {
    readonly kind: "unverified";
    readonly shownPath: string;
    readonly doubt: ExeDoubt;
    readonly pathHex?: string;
  };

/** A connection record with everything looked up around it. Immutable for the life of the connection. */
export interface Caller {
  readonly record: ConnectionRecord;
  /** uid 0 at connect time. */
  readonly elevated: boolean;
  /** `null` when the user is unknown; it never equals a rule's user name. */
  readonly account: Account | null;
  readonly exe: ExeProof;
  /** First four arguments, redacted; display text, never matched. */
  readonly commandLine: RedactedText;
}
