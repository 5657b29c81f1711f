/**
 * A second, deliberately naive implementation of the rule language, written from the specification alone. It is the judge of
 * the engine: linear scans, obvious code, no index, no cache, and not one import from `src`.
 *
 * Source: authorization 1.4, 2.4 to 2.6 and 3.
 * @module
 */

/** An authorization item as it stands in a status document. */
export interface ItemDocument {
  readonly defaultAccess: string;
  readonly mode: string;
  readonly id: string;
  readonly rules?: RulesDocument | null;
}

/** The four lists; each may be absent or null. */
export interface RulesDocument {
  readonly privileges?: readonly PrivilegeDocument[] | null;
  readonly roles?: readonly RoleDocument[] | null;
  readonly identities?: readonly IdentityDocument[] | null;
  readonly roleAssignments?: readonly AssignmentDocument[] | null;
}

export interface PrivilegeDocument {
  readonly name: string;
  readonly path: string;
  readonly queryParameters?: Readonly<Record<string, string>> | null;
}

export interface RoleDocument {
  readonly name: string;
  readonly privileges: readonly string[];
}

export interface IdentityDocument {
  readonly name: string;
  readonly userName?: string | null;
  readonly groupName?: string | null;
  readonly exePath?: string | null;
  readonly processName?: string | null;
}

export interface AssignmentDocument {
  readonly role: string;
  readonly identities: readonly string[];
}

/** What is known of a caller. `null` is unknown or not proven and equals no selector. */
export interface CallerDocument {
  readonly userName: string | null;
  readonly userGroups: readonly string[];
  readonly processName: string | null;
  readonly processFullPath: string | null;
  readonly runAsElevated: boolean;
}

/** One case: a line that `policy explain --batch` reads. */
export interface Triple {
  readonly item: ItemDocument;
  readonly endpoint: "imds" | "wireserver" | "hostga";
  readonly method: string;
  readonly target: string;
  readonly caller: CallerDocument;
}
