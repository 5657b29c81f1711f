import type { CallerDocument, ItemDocument } from "../reference/documents.ts";
import { readVectors, type Vector } from "./read.ts";

/** Section 3.5: one privilege and one target. */
export interface MatchVector extends Vector {
  readonly rulePath: string;
  readonly constraints: Readonly<Record<string, string>> | null;
  readonly target: string;
  /** The traversal guard refuses the target before any matcher sees it. */
  readonly guard: boolean;
  readonly legacy: boolean;
  /** `yes`, `no` or the code of the request, as the table says. */
  readonly canonical: string;
  /** The same in this product; `deviation` says why where it differs. */
  readonly productCanonical: string;
  /** Whether a grant of this privilege lets the target pass in `enforce`. */
  readonly enforce: boolean;
  readonly deviation: string | null;
}

/** Section 3.15 and 3.10: one target. */
export interface CanonicalVector extends Vector {
  readonly method: string;
  readonly target: string;
  readonly code: string | null;
  readonly productCode: string | null;
  readonly destination: DestinationVector | null;
  readonly segments: readonly string[] | null;
  readonly trailingSlash: boolean | null;
  readonly query: readonly (readonly [string, readonly string[]])[] | null;
  readonly rendered: string | null;
  readonly deviation: string | null;
}

export interface DestinationVector {
  readonly kind: "imds" | "wireserver" | "hostga" | "unknown";
  readonly family: "v4" | "v6" | "name" | null;
  /** Dotted quad of `v4`; `v6` is compared by family and port alone. */
  readonly address: string | null;
  readonly port: number | null;
  readonly host: string | null;
}

/** Section 3.12. */
export interface RenderVector extends Vector {
  readonly segments: readonly string[];
  readonly trailingSlash: boolean;
  readonly query: readonly (readonly [string, readonly string[]])[];
  readonly rendered: string;
}

/** Section 3.16 and 3.11: one privilege. */
export interface PatternVector extends Vector {
  readonly path: string;
  readonly constraints: Readonly<Record<string, string>> | null;
  readonly segments: readonly string[] | null;
  readonly query: readonly (readonly [string, readonly string[]])[] | null;
  readonly code: string | null;
  readonly productQuery: readonly (readonly [string, readonly string[]])[] | null;
  readonly deviation: string | null;
}

/** Section 3.3: selectors and a caller. */
export interface IdentityVector extends Vector {
  readonly selectors: Readonly<Record<string, string | null>>;
  readonly caller: {
    readonly userName: string | null;
    readonly userGroups: readonly string[];
    readonly processName: string | null;
    readonly processFullPath: string | null;
  };
  readonly matches: boolean;
  readonly deviation: string | null;
}

/** Section 3.3: equality of paths. */
export interface PathVector extends Vector {
  readonly left: string;
  readonly right: string;
  readonly equal: boolean;
}

/** Section 3.17. */
export interface LowerVector extends Vector {
  readonly text: string;
  readonly lower: string;
}

/** Sections 2.4 and 2.6. */
export interface DecisionVector extends Vector {
  readonly endpoint: "imds" | "wireserver" | "hostga";
  readonly method: string;
  readonly target: string;
  readonly elevated: boolean;
  /** Mode of the item; null: none is installed. */
  readonly item: "disabled" | "audit" | "enforce" | null;
  /** Mode of the endpoint's traffic, which counts in this product where no item is installed. */
  readonly mode: "disabled" | "audit" | "enforce";
  /** What the rules alone say; null without an item. */
  readonly evaluates: boolean | null;
  readonly reference: "allow" | "flag" | "deny";
  readonly product: "allow" | "flag" | "deny";
  readonly deviation: string | null;
}

/** Section 1.2: the text of the member `authorizationRules`. */
export interface StrictVector extends Vector {
  readonly rules: string;
  readonly accepted: boolean;
  readonly productAccepts: boolean;
  /** JSON path of what is wrong; null when nothing is, or when the text is no JSON. */
  readonly path: string | null;
  readonly deviation: string | null;
}

/** Section 1.2: the two words of an item. */
export interface WordsVector extends Vector {
  readonly defaultAccess: string;
  readonly mode: string;
  readonly defaultAllowed: boolean;
  readonly referenceMode: string;
  /** null: the document is rejected. */
  readonly productMode: string | null;
  readonly deviation: string | null;
}

/** Section 1.4: an item and what it compiles to. */
export interface CompileVector extends Vector {
  readonly item: ItemDocument;
  readonly defaultAllowed: boolean;
  readonly mode: string;
  /** Name, path and constraints. */
  readonly privileges: readonly (readonly [string, string, Readonly<Record<string, string>>])[];
  readonly identities: readonly string[];
  readonly privilegeAssignments: Readonly<Record<string, readonly string[]>>;
  readonly deviation: string | null;
}

/** Sections 1.5 and 3: an item, a request and a caller. */
export interface VerdictVector extends Vector {
  readonly item: ItemDocument;
  readonly method: string;
  readonly target: string;
  readonly caller: Omit<CallerDocument, "runAsElevated">;
  readonly compat: "allow" | "deny";
  readonly canonical: string;
  readonly deviation: string | null;
}

const FOLDER = "authorization";

export function matching(): readonly MatchVector[] {
  return readVectors(`${FOLDER}/matching.json`, [
    "rulePath",
    "constraints",
    "target",
    "guard",
    "legacy",
    "canonical",
    "productCanonical",
    "enforce",
    "deviation",
  ]);
}

export function canonical(): readonly CanonicalVector[] {
  return readVectors(`${FOLDER}/canonical.json`, [
    "method",
    "target",
    "code",
    "productCode",
    "destination",
    "segments",
    "trailingSlash",
    "query",
    "rendered",
    "deviation",
  ]);
}

export function rendering(): readonly RenderVector[] {
  return readVectors(`${FOLDER}/rendering.json`, [
    "segments",
    "trailingSlash",
    "query",
    "rendered",
  ]);
}

export function patterns(): readonly PatternVector[] {
  return readVectors(`${FOLDER}/patterns.json`, [
    "path",
    "constraints",
    "segments",
    "query",
    "code",
    "productQuery",
    "deviation",
  ]);
}

export function identities(): readonly IdentityVector[] {
  return readVectors(`${FOLDER}/identity.json`, ["selectors", "caller", "matches", "deviation"]);
}

export function paths(): readonly PathVector[] {
  return readVectors(`${FOLDER}/identity.json`, ["left", "right", "equal"], "paths");
}

export function windowsPaths(): readonly PathVector[] {
  return readVectors(`${FOLDER}/identity.json`, ["left", "right", "equal"], "windowsPaths");
}

export function lowerCase(): readonly LowerVector[] {
  return readVectors(`${FOLDER}/lower_case.json`, ["text", "lower"]);
}

export function decisions(): readonly DecisionVector[] {
  return readVectors(`${FOLDER}/decisions.json`, [
    "endpoint",
    "method",
    "target",
    "elevated",
    "item",
    "mode",
    "evaluates",
    "reference",
    "product",
    "deviation",
  ]);
}

export function strictness(): readonly StrictVector[] {
  return readVectors(`${FOLDER}/strictness.json`, [
    "rules",
    "accepted",
    "productAccepts",
    "path",
    "deviation",
  ]);
}

export function acceptedValues(): readonly WordsVector[] {
  return readVectors(`${FOLDER}/accepted_values.json`, [
    "defaultAccess",
    "mode",
    "defaultAllowed",
    "referenceMode",
    "productMode",
    "deviation",
  ]);
}

export function compilations(): readonly CompileVector[] {
  return readVectors(`${FOLDER}/compile.json`, [
    "item",
    "defaultAllowed",
    "mode",
    "privileges",
    "identities",
    "privilegeAssignments",
    "deviation",
  ]);
}

export function consequences(): readonly VerdictVector[] {
  return readVectors(`${FOLDER}/consequences.json`, [
    "item",
    "method",
    "target",
    "caller",
    "compat",
    "canonical",
    "deviation",
  ]);
}

/** Section 4.2: a rule id. */
export interface DescriptorVector extends Vector {
  readonly raw: string;
  readonly logicalId: string;
  readonly useLocal: boolean;
  readonly displayId: string;
  readonly deviation: string | null;
}

/** Sections 4.3 and 4.4: the text of a local rule file. */
export interface LocalFileVector extends Vector {
  readonly file: string;
  readonly accepted: boolean;
  readonly path: string | null;
  readonly deviation: string | null;
}

/** Section 4.6. */
export interface MergeVector extends Vector {
  readonly host: ItemDocument;
  readonly file: Readonly<Record<string, unknown>>;
  readonly merged: Readonly<Record<string, unknown>>;
}

/** Section 4.7: one poll after another. */
export interface StatesVector extends Vector {
  readonly steps: readonly {
    readonly useLocal: boolean;
    readonly remoteChanged: boolean;
    readonly file:
      | { readonly kind: "missing" }
      | { readonly kind: "error"; readonly text: string }
      | { readonly kind: "present"; readonly mark: string; readonly valid: boolean };
    /** Where the effective rules come from after the poll. */
    readonly origin: "host" | "merged" | "closed";
    readonly changed: boolean;
    readonly failed: boolean;
    /** Level and task of each notice. */
    readonly events: readonly string[];
  }[];
  readonly deviation: string | null;
}

/** Section 4.8: the host's item, a local file, a request and a caller. */
export interface BehaviourVector extends Vector {
  readonly host: ItemDocument;
  /** null: there is no file. */
  readonly file: string | null;
  readonly target: string;
  readonly caller: Omit<CallerDocument, "runAsElevated">;
  readonly allowed: boolean;
}

export function descriptors(): readonly DescriptorVector[] {
  return readVectors(`${FOLDER}/local_documents.json`, [
    "raw",
    "logicalId",
    "useLocal",
    "displayId",
    "deviation",
  ], "descriptors");
}

export function localFiles(): readonly LocalFileVector[] {
  return readVectors(
    `${FOLDER}/local_documents.json`,
    ["file", "accepted", "path", "deviation"],
    "files",
  );
}

export function merges(): readonly MergeVector[] {
  return readVectors(`${FOLDER}/local_merge.json`, ["host", "file", "merged"]);
}

export function localStates(): readonly StatesVector[] {
  return readVectors(`${FOLDER}/local_states.json`, ["steps", "deviation"]);
}

export function localBehaviour(): readonly BehaviourVector[] {
  return readVectors(`${FOLDER}/local_behaviour.json`, [
    "host",
    "file",
    "target",
    "caller",
    "allowed",
  ]);
}
