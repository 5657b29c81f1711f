import type { CallerDocument, IdentityDocument, ItemDocument } from "./documents.ts";
import { decodeLossy, lowerUnicode, splitRaw } from "./text.ts";

/** A compiled privilege. */
export interface ReferencePrivilege {
  readonly name: string;
  readonly path: string;
  readonly constraints: readonly (readonly [string, string])[];
}

/** A compiled item. Source: authorization 1.4. */
export interface ReferenceItem {
  readonly mode: string;
  readonly defaultAllowed: boolean;
  readonly privileges: ReadonlyMap<string, ReferencePrivilege>;
  readonly identities: ReadonlyMap<string, IdentityDocument>;
  readonly assignments: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Source: authorization 1.4. */
export function compileReference(item: ItemDocument): ReferenceItem {
  const privileges = new Map<string, ReferencePrivilege>();
  const identities = new Map<string, IdentityDocument>();
  const roles = new Map<string, readonly string[]>();
  const assignments = new Map<string, Set<string>>();
  const rules = item.rules ?? null;
  if (rules?.privileges && rules.roles && rules.identities && rules.roleAssignments) {
    for (const privilege of rules.privileges) {
      const constraints = Object.entries(privilege.queryParameters ?? {})
        .map(([key, value]) => [lowerUnicode(key), lowerUnicode(value)] as const);
      const path = lowerUnicode(privilege.path);
      privileges.set(privilege.name, { name: privilege.name, path, constraints });
    }
    for (const identity of rules.identities) identities.set(identity.name, identity);
    for (const role of rules.roles) roles.set(role.name, role.privileges);
    for (const assignment of rules.roleAssignments) {
      const granted = roles.get(assignment.role);
      if (granted === undefined) continue;
      for (const privilege of granted) {
        if (!privileges.has(privilege)) continue;
        if (!assignments.has(privilege)) assignments.set(privilege, new Set());
        for (const identity of assignment.identities) {
          if (identities.has(identity)) assignments.get(privilege)!.add(identity);
        }
      }
    }
  }
  const defaultAllowed = lowerUnicode(item.defaultAccess) === "allow";
  return { mode: lowerUnicode(item.mode), defaultAllowed, privileges, identities, assignments };
}

/** Source: authorization 3.4, with the matcher of 3.1 and 3.2. */
export function evaluateLegacy(
  item: ReferenceItem,
  target: string,
  caller: CallerDocument,
): boolean {
  const request = prepareLegacy(target);
  return evaluateBy(item, caller, (privilege) => matchesLegacy(privilege, request));
}

/** What both matchers share. Source: authorization 3.4. */
export function evaluateBy(
  item: ReferenceItem,
  caller: CallerDocument,
  matches: (privilege: ReferencePrivilege) => boolean,
): boolean {
  if (item.mode === "disabled") return true;
  let anyMatched = false;
  let granted = false;
  for (const privilege of item.privileges.values()) {
    if (!matches(privilege)) continue;
    anyMatched = true;
    for (const name of item.assignments.get(privilege.name) ?? []) {
      if (identityMatches(item.identities.get(name)!, caller)) granted = true;
    }
  }
  if (granted) return true;
  return anyMatched ? false : item.defaultAllowed;
}

/** A request as the legacy matcher sees it. */
export interface ReferenceRequest {
  readonly path: string;
  readonly pairs: readonly { readonly key: string; readonly value: string }[];
}

/** Source: authorization 3.1, and 3.2 steps 1 and 4. */
export function prepareLegacy(target: string): ReferenceRequest {
  const raw = splitRaw(target);
  const prepared = lowerUnicode(decodeLossy(raw.path));
  const mark = prepared.indexOf("?");
  const path = mark === -1 ? prepared : prepared.slice(0, mark);
  const embedded = mark === -1 ? "" : prepared.slice(mark + 1);
  const pairs = [...pairsOf(raw.query ?? ""), ...pairsOf(embedded)].map(({ key, value }) => ({
    key: lowerUnicode(decodeLossy(key)),
    value: lowerUnicode(decodeLossy(value)),
  }));
  return { path, pairs };
}

/** Source: authorization 3.2, steps 2, 3, 5 and 6. */
export function matchesLegacy(privilege: ReferencePrivilege, request: ReferenceRequest): boolean {
  if (!request.path.startsWith(privilege.path)) return false;
  for (const [key, value] of privilege.constraints) {
    const first = request.pairs.find((pair) => pair.key === key);
    if (first === undefined || first.value !== value) return false;
  }
  return true;
}

/** Source: authorization 3.2, step 4. */
function pairsOf(query: string): { readonly key: string; readonly value: string }[] {
  const pairs: { key: string; value: string }[] = [];
  for (const piece of query.split("&")) {
    const equals = piece.indexOf("=");
    const key = equals === -1 ? piece : piece.slice(0, equals);
    const value = equals === -1 ? "" : piece.slice(equals + 1);
    if (key !== "") pairs.push({ key, value });
  }
  return pairs;
}

/** Source: authorization 3.3. */
export function identityMatches(identity: IdentityDocument, caller: CallerDocument): boolean {
  const { userName, processName, exePath, groupName } = identity;
  if (typeof userName === "string" && userName !== caller.userName) return false;
  if (typeof processName === "string" && processName !== caller.processName) return false;
  if (typeof exePath === "string") {
    if (caller.processFullPath === null) return false;
    if (!samePath(exePath, caller.processFullPath)) return false;
  }
  if (typeof groupName === "string" && !caller.userGroups.includes(groupName)) return false;
  return true;
}

/** Equality of paths by their components. Source: authorization 3.3, as on Unix. */
export function samePath(left: string, right: string): boolean {
  return JSON.stringify(componentsOf(left)) === JSON.stringify(componentsOf(right));
}

function componentsOf(path: string): string[] {
  const components: string[] = [];
  const pieces = path.split("/");
  if (path.startsWith("/")) components.push("/");
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index]!;
    if (piece === "") continue;
    // A leading `.` is significant; the first piece of an absolute path is empty, so that it has none.
    if (piece === "." && index > 0) continue;
    components.push(piece);
  }
  return components;
}
