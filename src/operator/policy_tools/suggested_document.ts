import type { Mode } from "../../domain/wire/mod.ts";
import type { ItemName } from "./observations.ts";
import type { SuggestedGrant } from "./suggested_grant.ts";

/** An authorization item, ready to be written as JSON. */
export interface SuggestedItem {
  readonly defaultAccess: "deny";
  readonly mode: Mode;
  readonly id: string;
  readonly rules: {
    readonly privileges: readonly {
      readonly name: string;
      readonly path: string;
      readonly queryParameters?: Readonly<Record<string, string>>;
    }[];
    readonly roles: readonly { readonly name: string; readonly privileges: readonly string[] }[];
    readonly identities: readonly {
      readonly name: string;
      readonly userName?: string;
      readonly exePath?: string;
    }[];
    readonly roleAssignments: readonly {
      readonly role: string;
      readonly identities: readonly string[];
    }[];
  };
}

/** The member `authorizationRules` of a status document, with the items that something was seen for. */
export type SuggestedDocument = Readonly<Partial<Record<ItemName, SuggestedItem>>>;

/** Gives privileges and identities names, and makes the document. The same grants make the same document. */
export function nameGrants(
  grants: readonly SuggestedGrant[],
  mode: Mode,
): { readonly document: SuggestedDocument; readonly grants: readonly SuggestedGrant[] } {
  const document: Partial<Record<ItemName, SuggestedItem>> = {};
  const named: SuggestedGrant[] = [];
  for (const item of ["imds", "wireserver"] as const) {
    const some = grants.filter((grant) => grant.item === item);
    if (some.length === 0) continue;
    const privileges = new Names();
    const identities = new Names();
    const own = some.map((grant) => {
      const { caller, path, parameters } = grant;
      const privilegeKey = JSON.stringify([path, [...parameters].sort()]);
      const identityKey = JSON.stringify([caller.userName, caller.exePath]);
      return {
        ...grant,
        privilege: privileges.of(privilegeKey, path),
        identity: identities.of(identityKey, identityBase(grant)),
      };
    });
    named.push(...own);
    document[item] = itemOf(item, own, mode);
  }
  return { document, grants: named };
}

function itemOf(item: ItemName, grants: readonly SuggestedGrant[], mode: Mode): SuggestedItem {
  const privileges = new Map<string, SuggestedGrant>();
  const identities = new Map<string, SuggestedGrant>();
  const held = new Map<string, string[]>();
  for (const grant of grants) {
    if (!privileges.has(grant.privilege)) privileges.set(grant.privilege, grant);
    if (!identities.has(grant.identity)) identities.set(grant.identity, grant);
    const own = held.get(grant.identity);
    if (own === undefined) held.set(grant.identity, [grant.privilege]);
    else own.push(grant.privilege);
  }
  /** Identities with the same privileges have one role. */
  const roles = new Map<string, { privileges: readonly string[]; identities: string[] }>();
  for (const [identity, own] of held) {
    const key = JSON.stringify(own);
    const role = roles.get(key);
    if (role === undefined) roles.set(key, { privileges: own, identities: [identity] });
    else role.identities.push(identity);
  }
  const listed = [...roles.values()].map((role, index) => ({ ...role, name: `role-${index + 1}` }));
  return {
    defaultAccess: "deny",
    mode,
    id: `suggested-${item}`,
    rules: {
      privileges: [...privileges].map(([name, { path, parameters }]) => ({
        name,
        path,
        ...(parameters.size === 0 ? {} : { queryParameters: Object.fromEntries(parameters) }),
      })),
      roles: listed.map(({ name, privileges: own }) => ({ name, privileges: own })),
      identities: [...identities].map(([name, { caller }]) => ({
        name,
        ...(caller.userName === null ? {} : { userName: caller.userName }),
        ...(caller.exePath === null ? {} : { exePath: caller.exePath }),
      })),
      roleAssignments: listed.map(({ name, identities: own }) => ({ role: name, identities: own })),
    },
  };
}

function identityBase({ caller: { userName, exePath } }: SuggestedGrant): string {
  const program = exePath === null ? "any-program" : exePath.slice(exePath.lastIndexOf("/") + 1);
  return userName === null ? program : `${userName}-${program}`;
}

const LONGEST_NAME = 64;

/** Readable names: each key one, none twice. */
class Names {
  readonly #byKey = new Map<string, string>();
  readonly #taken = new Set<string>();

  of(key: string, base: string): string {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const plain = base.replace(/[^A-Za-z0-9._]+/g, "-").replace(/^-+|-+$/g, "")
      .slice(0, LONGEST_NAME) || "root";
    let name = plain;
    for (let count = 2; this.#taken.has(name); count++) name = `${plain}-${count}`;
    this.#taken.add(name);
    this.#byKey.set(key, name);
    return name;
  }
}
