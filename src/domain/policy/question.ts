import { type CanonCode, splitTarget, type StrictFault } from "../canonical/mod.ts";
import type { Caller } from "../identity/caller.ts";
import type { PathFlavour } from "./identity_matcher.ts";

/**
 * Which matcher's verdict counts. `compat`: the legacy one. `shadow`: the same, and disagreement is recorded. `enforce`: both
 * have to allow, and the target has to be strict. Source: authorization 3.14 and 7.6.
 */
export type Matching = "compat" | "shadow" | "enforce";

/** What rules may look at. `null` is unknown or not proven and equals no selector. Source: authorization 3.3 and 5.2. */
export interface CallerClaims {
  readonly userName: string | null;
  readonly userGroups: readonly string[];
  readonly processName: string | null;
  readonly processFullPath: string | null;
  readonly elevated: boolean;
}

/** One request as the matchers see it. */
export interface Question {
  readonly method: string;
  /** As received, fragment removed. */
  readonly target: string;
  /** Raw path. */
  readonly path: string;
  /** Raw text after the first `?`; `null` when there is none. */
  readonly query: string | null;
  readonly claims: CallerClaims;
}

/** What the rules of one item say: without the demand for an elevated caller and without the softening by Audit. */
export interface RuleVerdict {
  readonly compat: "allow" | "deny";
  /** A code is a request without canonical form, which is a denial. */
  readonly canonical: "allow" | "deny" | CanonCode;
  /** The verdict that counts under the matching in force. */
  readonly allowed: boolean;
  /** Privilege that granted, or the first one that matched and refused; `null` when none matched. */
  readonly privilege: string | null;
  /** Identity that granted; `null` when none did. */
  readonly identity: string | null;
  readonly by: "rule" | "default-access" | "disabled";
  /** Why `enforce` refuses the target itself; `null` when it is strict, or in another matching. */
  readonly strictFault: StrictFault | null;
}

/**
 * The claims that rules may look at. Of an executable that is not proven nothing is shown, so that no selector equals it.
 * Source: authorization 5.2 and 7.1, W-02, W-06 and W-11.
 */
export function claimsOf(caller: Caller, flavour: PathFlavour = "unix"): CallerClaims {
  const { account, exe } = caller;
  const path = exe.kind === "verified" ? exe.path : null;
  return {
    userName: account === null ? null : account.userName,
    userGroups: account === null ? NO_GROUPS : account.groups,
    processName: path === null ? null : baseName(path, flavour),
    processFullPath: path,
    elevated: caller.elevated,
  };
}

/** A question about a target that is still one text. */
export function questionOf(method: string, target: string, claims: CallerClaims): Question {
  const parts = splitTarget(target);
  return { method, target: parts.target, path: parts.path, query: parts.query, claims };
}

function baseName(path: string, flavour: PathFlavour): string {
  const slash = path.lastIndexOf("/");
  if (flavour === "unix") return path.slice(slash + 1);
  return path.slice(Math.max(slash, path.lastIndexOf("\\")) + 1);
}

const NO_GROUPS: readonly string[] = Object.freeze<string[]>([]);
