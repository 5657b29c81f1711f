import type { RuleSet } from "../wire/key_status.ts";
import type { Findings } from "./compile_findings.ts";

/** The identities that have a privilege. Privileges with the same roles share the object. */
export class Members {
  /** Names, for the compiled form. */
  readonly names: ReadonlySet<string>;
  readonly #firstClass: number = -1;
  readonly #firstName: string | undefined;
  /** Each class with the first name of it, where there is more than one. */
  readonly #byClass: ReadonlyMap<number, string> | null = null;

  /** `classOf` knows the class of every name. */
  constructor(names: ReadonlySet<string>, classOf: ReadonlyMap<string, number>) {
    this.names = names;
    let byClass: Map<number, string> | null = null;
    for (const name of names) {
      const identityClass = classOf.get(name)!;
      if (this.#firstName === undefined) {
        this.#firstClass = identityClass;
        this.#firstName = name;
      } else if (identityClass !== this.#firstClass) {
        byClass ??= new Map([[this.#firstClass, this.#firstName]]);
        if (!byClass.has(identityClass)) byClass.set(identityClass, name);
      }
    }
    this.#byClass = byClass;
  }

  /** How many classes of identities there are. */
  get size(): number {
    return this.#byClass?.size ?? (this.#firstName === undefined ? 0 : 1);
  }

  get classes(): Iterable<number> {
    if (this.#byClass !== null) return this.#byClass.keys();
    return this.#firstName === undefined ? [] : [this.#firstClass];
  }

  /** The first identity of a class; `undefined` when the class is no member. */
  nameOf(identityClass: number): string | undefined {
    return identityClass === this.#firstClass ? this.#firstName : this.#byClass?.get(identityClass);
  }
}

/** Counts the entries that sets of identities are copied into, so that no document multiplies them out without end. */
export class CopyBudget {
  #left: number;

  constructor(readonly limit: number, private readonly findings: Findings) {
    this.#left = limit;
  }

  /** Whether `entries` more may be copied. The first refusal is an error of the document, and everything after is refused. */
  take(entries: number): boolean {
    if (this.#left < 0) return false;
    this.#left -= entries;
    if (this.#left >= 0) return true;
    const message = `roles and identities multiply to more than ${this.limit} grants`;
    this.findings.error("too-many-grants", ".roleAssignments", message);
    return false;
  }
}

/** What the members of privileges are found from. */
export interface MemberSources {
  readonly rules: RuleSet;
  readonly privileges: ReadonlyMap<string, unknown>;
  readonly classOf: ReadonlyMap<string, number>;
  readonly findings: Findings;
  readonly budget: CopyBudget;
  /** Whether it is time to yield. */
  readonly isDue: () => boolean;
}

/**
 * The members of each privilege that a role assignment reaches. Linear in the document: a role with many privileges and many
 * identities costs their sum. Source: authorization 1.4.
 */
export function* readMembers(sources: MemberSources): Generator<void, Map<string, Members>> {
  const { rules, privileges, classOf, findings, isDue } = sources;
  const roles = new Map<string, number>();
  for (const [position, role] of rules.roles!.entries()) {
    if (roles.has(role.name)) findings.duplicate("roles", position);
    roles.set(role.name, position);
    if (isDue()) yield;
  }
  const named = yield* readAssignments(sources, roles);
  const rolesOf = new Map<string, string[]>();
  for (const role of named.keys()) {
    const position = roles.get(role)!;
    const granted = rules.roles![position]!.privileges;
    for (let index = 0; index < granted.length; index++) {
      const privilege = granted[index]!;
      if (isDue()) yield;
      if (!privileges.has(privilege)) {
        findings.unknown("privilege", `.roles[${position}].privileges[${index}]`, privilege);
        continue;
      }
      const known = rolesOf.get(privilege);
      if (known === undefined) rolesOf.set(privilege, [role]);
      else if (known[known.length - 1] !== role) known.push(role);
    }
  }
  const united = new Map<string, Members>();
  const result = new Map<string, Members>();
  for (const [privilege, holders] of rolesOf) {
    if (isDue()) yield;
    // A role may be called like a list of roles.
    const key = holders.length === 1 ? `1${holders[0]!}` : JSON.stringify(holders);
    let members = united.get(key);
    if (members === undefined) {
      const names = holders.length === 1
        ? named.get(holders[0]!)!
        : yield* unite(sources, holders.map((role) => named.get(role)!));
      united.set(key, members = new Members(names, classOf));
    }
    result.set(privilege, members);
  }
  return result;
}

/** The known identities of each known role that is assigned. */
function* readAssignments(
  { rules, classOf, findings, isDue }: MemberSources,
  roles: ReadonlyMap<string, number>,
): Generator<void, Map<string, Set<string>>> {
  const named = new Map<string, Set<string>>();
  const assignments = rules.roleAssignments!;
  for (let position = 0; position < assignments.length; position++) {
    const { role, identities } = assignments[position]!;
    if (isDue()) yield;
    if (!roles.has(role)) {
      findings.unknown("role", `.roleAssignments[${position}].role`, role);
      continue;
    }
    let names = named.get(role);
    if (names === undefined) named.set(role, names = new Set());
    for (let index = 0; index < identities.length; index++) {
      const identity = identities[index]!;
      if (isDue()) yield;
      if (classOf.has(identity)) names.add(identity);
      else {
        const path = `.roleAssignments[${position}].identities[${index}]`;
        findings.unknown("identity", path, identity);
      }
    }
  }
  return named;
}

function* unite(
  { budget, isDue }: MemberSources,
  sets: readonly ReadonlySet<string>[],
): Generator<void, Set<string>> {
  const union = new Set<string>();
  for (const names of sets) {
    if (!budget.take(names.size)) break;
    for (const name of names) {
      union.add(name);
      if (isDue()) yield;
    }
  }
  return union;
}
