import { jsonPathStep } from "../wire/strict_json.ts";
import type { AuthorizationItem, Identity, Mode, Privilege, RuleSet } from "../wire/key_status.ts";
import { CANON_MEANINGS } from "../canonical/mod.ts";
import { canonicalPattern, type PatternFault } from "./canonical_matcher.ts";
import { GrantNode, type Members } from "./grant_tree.ts";
import { IdentityIndex } from "./identity_index.ts";
import type { PathFlavour } from "./identity_matcher.ts";
import { lowerPrivilege } from "./legacy_matcher.ts";
import { SegmentIndex, TextIndex } from "./path_index.ts";

/** An item ready to decide. The named members are also what is dumped for support. Source: authorization 1.4. */
export interface CompiledItem {
  readonly id: string;
  readonly defaultAllowed: boolean;
  readonly mode: Mode;
  /** In lower case; empty when a list of the rules is missing. */
  readonly privileges: ReadonlyMap<string, Privilege>;
  readonly identities: ReadonlyMap<string, Identity>;
  /** Names of the identities of each privilege that a role assignment reaches. Privileges with the same roles share the set. */
  readonly privilegeAssignments: ReadonlyMap<string, ReadonlySet<string>>;
  readonly index: RuleIndex;
}

/** What the matchers look things up in. */
export interface RuleIndex {
  readonly flavour: PathFlavour;
  readonly identities: IdentityIndex;
  readonly legacy: TextIndex;
  readonly canonical: SegmentIndex;
  /**
   * The privileges that the canonical matcher knows: all of the document, even when a list is missing and the legacy matcher
   * therefore knows none (DEVIATION D-92).
   */
  readonly canonicalPrivileges: ReadonlyMap<string, Privilege>;
}

/** Something about an item that its author should know. An `error` keeps the item from being installed. */
export interface CompileFinding {
  readonly severity: "error" | "warning";
  readonly code: CompileCode;
  /** JSON path. */
  readonly path: string;
  readonly message: string;
}

export type CompileCode =
  | "not-canonical"
  | "too-many-grants"
  | "list-missing"
  | "duplicate-name"
  | "unknown-role"
  | "unknown-privilege"
  | "unknown-identity";

/** What compiling an item gives. */
export interface Compilation {
  readonly compiled: CompiledItem;
  /** At most `MAX_FINDINGS` of each severity. */
  readonly findings: readonly CompileFinding[];
}

export interface CompileOptions {
  /** How paths of executables are read; `unix` by default. */
  readonly flavour?: PathFlavour;
  /** JSON path of the item in its document, for findings; `$` by default. */
  readonly at?: string;
}

/** Most findings of one severity; more say nothing new. */
export const MAX_FINDINGS = 200;
/** Most entries that sets of identities may be copied into. Only documents made to be large need more. */
export const MAX_COPIED_GRANTS = 1_000_000;
/** Pieces of work between two yields; each takes microseconds. */
const STEPS_PER_YIELD = 64;

/** Compiles an item at once. Source: authorization 1.4 and 3.11. */
export function compileItem(item: AuthorizationItem, options: CompileOptions = {}): Compilation {
  const steps = compileSteps(item, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * Compiles an item in steps of well under a millisecond, so that the caller can serve requests in between. The mode is the
 * item's: an installer that enforces more must say so in the item. Source: authorization 1.4 and 3.11.
 */
export function* compileSteps(
  item: AuthorizationItem,
  options: CompileOptions = {},
): Generator<void, Compilation> {
  const compiler = new Compiler(item.rules, options);
  yield* compiler.run();
  const { isComplete, privileges, identities, assignments, findings } = compiler;
  const index: RuleIndex = Object.freeze({
    flavour: compiler.flavour,
    identities: compiler.identityIndex,
    legacy: compiler.legacy,
    canonical: compiler.canonical,
    canonicalPrivileges: privileges,
  });
  const compiled: CompiledItem = Object.freeze({
    id: item.id,
    defaultAllowed: item.defaultAccess === "allow",
    mode: item.mode,
    privileges: isComplete ? privileges : new Map<string, Privilege>(),
    identities: isComplete ? identities : new Map<string, Identity>(),
    privilegeAssignments: assignments,
    index,
  });
  return { compiled, findings };
}

/** One privilege on its way into an index. */
interface Entry {
  readonly name: string;
  readonly constraints: readonly (readonly [key: string, value: string])[];
  readonly members: Members;
}

const NOBODY: Members = Object.freeze({
  names: Object.freeze(new Set<string>([])),
  classes: Object.freeze(new Map<number, string>([])),
});
const NO_CONSTRAINTS: Entry["constraints"] = Object.freeze<Entry["constraints"][number][]>([]);
const LISTS = Object.freeze(["privileges", "roles", "identities", "roleAssignments"] as const);

class Compiler {
  readonly flavour: PathFlavour;
  readonly isComplete: boolean;
  readonly privileges = new Map<string, Privilege>();
  readonly identities = new Map<string, Identity>();
  readonly assignments = new Map<string, ReadonlySet<string>>();
  readonly identityIndex: IdentityIndex;
  readonly legacy = new TextIndex();
  readonly canonical = new SegmentIndex();
  readonly findings: CompileFinding[] = [];

  readonly #rules: RuleSet | null;
  readonly #at: string;
  readonly #classes = new Map<string, number>();
  #errors = 0;
  #copied = 0;
  #steps = 0;

  constructor(rules: RuleSet | null, options: CompileOptions) {
    this.#rules = rules;
    this.#at = `${options.at ?? "$"}.rules`;
    this.flavour = options.flavour ?? "unix";
    this.identityIndex = new IdentityIndex(this.flavour);
    this.isComplete = rules !== null && LISTS.every((list) => rules[list] !== null);
  }

  *run(): Generator<void, void> {
    const rules = this.#rules;
    if (rules === null) return;
    for (const list of LISTS) {
      if (rules[list] !== null) continue;
      const message = `the list is missing, so that rules as others read them are none at all`;
      this.#find("warning", "list-missing", `.${list}`, message);
    }
    const positions = yield* this.#readPrivileges(rules.privileges ?? []);
    yield* this.#readIdentities(rules.identities ?? []);
    const members = this.isComplete ? yield* this.#readRoles(rules) : new Map<string, Members>();
    yield* this.#index(positions, members);
  }

  *#readPrivileges(privileges: readonly Privilege[]): Generator<void, Map<string, number>> {
    const positions = new Map<string, number>();
    for (const [position, privilege] of privileges.entries()) {
      this.#noteDuplicate("privileges", position, this.privileges.has(privilege.name));
      this.privileges.set(privilege.name, lowerPrivilege(privilege));
      positions.set(privilege.name, position);
      if (this.#isDue()) yield;
    }
    return positions;
  }

  *#readIdentities(identities: readonly Identity[]): Generator<void, void> {
    for (const [position, identity] of identities.entries()) {
      this.#noteDuplicate("identities", position, this.identities.has(identity.name));
      this.identities.set(identity.name, identity);
      if (this.#isDue()) yield;
    }
    for (const identity of this.identities.values()) {
      this.#classes.set(identity.name, this.identityIndex.add(identity));
      if (this.#isDue()) yield;
    }
  }

  /** The members of each privilege that an assignment reaches. Linear in the document: roles are not multiplied out. */
  *#readRoles(rules: RuleSet): Generator<void, Map<string, Members>> {
    const roles = new Map<string, { readonly privileges: readonly string[]; position: number }>();
    for (const [position, role] of rules.roles!.entries()) {
      this.#noteDuplicate("roles", position, roles.has(role.name));
      roles.set(role.name, { privileges: role.privileges, position });
      if (this.#isDue()) yield;
    }
    const roleMembers = yield* this.#readAssignments(rules, roles);
    const rolesOf = new Map<string, string[]>();
    for (const name of roleMembers.keys()) {
      const role = roles.get(name)!;
      for (const [position, privilege] of role.privileges.entries()) {
        if (this.#isDue()) yield;
        if (!this.privileges.has(privilege)) {
          const path = `.roles[${role.position}].privileges[${position}]`;
          this.#findUnknown("unknown-privilege", path, privilege);
          continue;
        }
        const known = rolesOf.get(privilege);
        if (known === undefined) rolesOf.set(privilege, [name]);
        else if (known[known.length - 1] !== name) known.push(name);
      }
    }
    return yield* this.#unite(rolesOf, roleMembers);
  }

  *#readAssignments(
    rules: RuleSet,
    roles: ReadonlyMap<string, unknown>,
  ): Generator<void, Map<string, Members>> {
    const names = new Map<string, Set<string>>();
    for (const [position, assignment] of rules.roleAssignments!.entries()) {
      const path = `.roleAssignments[${position}]`;
      if (this.#isDue()) yield;
      if (!roles.has(assignment.role)) {
        this.#findUnknown("unknown-role", `${path}.role`, assignment.role);
        continue;
      }
      let members = names.get(assignment.role);
      if (members === undefined) names.set(assignment.role, members = new Set());
      for (const [index, identity] of assignment.identities.entries()) {
        if (this.#isDue()) yield;
        if (this.identities.has(identity)) members.add(identity);
        else this.#findUnknown("unknown-identity", `${path}.identities[${index}]`, identity);
      }
    }
    const roleMembers = new Map<string, Members>();
    for (const [role, members] of names) {
      roleMembers.set(role, yield* this.#membersOf(members));
    }
    return roleMembers;
  }

  /** One object for all privileges with the same roles, so that a role with many of both costs their sum. */
  *#unite(
    rolesOf: ReadonlyMap<string, readonly string[]>,
    roleMembers: ReadonlyMap<string, Members>,
  ): Generator<void, Map<string, Members>> {
    const united = new Map<string, Members>();
    const result = new Map<string, Members>();
    for (const [privilege, roles] of rolesOf) {
      if (this.#isDue()) yield;
      let members = roles.length === 1 ? roleMembers.get(roles[0]!)! : undefined;
      if (members === undefined) {
        const key = JSON.stringify(roles);
        members = united.get(key);
        if (members === undefined) {
          const names = new Set<string>();
          for (const role of roles) {
            if (!this.#mayCopy(roleMembers.get(role)!.names.size)) break;
            for (const name of roleMembers.get(role)!.names) names.add(name);
            if (this.#isDue()) yield;
          }
          united.set(key, members = yield* this.#membersOf(names));
        }
      }
      result.set(privilege, members);
      this.assignments.set(privilege, members.names);
    }
    return result;
  }

  *#membersOf(names: ReadonlySet<string>): Generator<void, Members> {
    const classes = new Map<number, string>();
    for (const name of names) {
      const identityClass = this.#classes.get(name)!;
      if (!classes.has(identityClass)) classes.set(identityClass, name);
      if (this.#isDue()) yield;
    }
    return { names, classes };
  }

  *#index(
    positions: ReadonlyMap<string, number>,
    members: ReadonlyMap<string, Members>,
  ): Generator<void, void> {
    const legacy = new Map<GrantNode, Entry[]>();
    const canonical = new Map<GrantNode, Entry[]>();
    for (const privilege of this.privileges.values()) {
      if (this.#isDue()) yield;
      const { name } = privilege;
      const entry: Entry = {
        name,
        constraints: constraintsOf(privilege.queryParameters),
        members: members.get(name) ?? NOBODY,
      };
      if (this.isComplete) addTo(legacy, this.legacy.at(privilege.path), entry);
      const pattern = canonicalPattern(privilege);
      if (!pattern.ok) {
        const path = `.privileges[${positions.get(name)}]`;
        const message = `the privilege has no canonical form: ${faultText(pattern.error)}`;
        this.#find("error", "not-canonical", path, message);
        continue;
      }
      const { segments, constraints } = pattern.value;
      const canonicalEntry = { ...entry, constraints: constraintsOf(constraints) };
      addTo(canonical, this.canonical.at(segments), canonicalEntry);
    }
    for (const [node, entries] of legacy) yield* this.#grow(node, entries);
    for (const [node, entries] of canonical) yield* this.#grow(node, entries);
  }

  /** Builds the tree of constraints of one path. */
  *#grow(root: GrantNode, entries: readonly Entry[]): Generator<void, void> {
    const order = yield* this.#keyOrder(entries);
    for (const { name, constraints, members } of entries) {
      const sorted = order === null ? constraints : [...constraints].sort(
        ([left], [right]) => order.get(left)! - order.get(right)!,
      );
      let node = root;
      for (const [index, [key, value]] of sorted.entries()) {
        node = node.branch(key, value, index === sorted.length - 1 ? name : null);
      }
      // Counted before it is done: one copy has at most as many entries as the members have.
      if (this.#mayCopy(0)) this.#copied += node.end(name, members);
      if (this.#isDue()) yield;
    }
  }

  /**
   * The order of the keys of one path, fewest values first, so that the many values stand at the ends, where a repeated key need
   * not look at them one by one. `null` where no privilege has two keys and any order serves.
   */
  *#keyOrder(entries: readonly Entry[]): Generator<void, ReadonlyMap<string, number> | null> {
    if (entries.every(({ constraints }) => constraints.length < 2)) return null;
    const values = new Map<string, Set<string>>();
    for (const { constraints } of entries) {
      for (const [key, value] of constraints) {
        const known = values.get(key);
        if (known === undefined) values.set(key, new Set([value]));
        else known.add(value);
      }
      if (this.#isDue()) yield;
    }
    const keys = [...values].sort(([left, some], [right, others]) =>
      some.size - others.size || (left < right ? -1 : 1)
    );
    return new Map(keys.map(([key], position) => [key, position]));
  }

  #isDue(): boolean {
    this.#steps++;
    return this.#steps % STEPS_PER_YIELD === 0;
  }

  #mayCopy(entries: number): boolean {
    this.#copied += entries;
    if (this.#copied <= MAX_COPIED_GRANTS) return true;
    if (this.#copied < Infinity) {
      this.#copied = Infinity;
      const message = `roles and identities multiply to more than ${MAX_COPIED_GRANTS} grants`;
      this.#find("error", "too-many-grants", ".roleAssignments", message);
    }
    return false;
  }

  #noteDuplicate(list: string, position: number, isKnown: boolean): void {
    if (!isKnown) return;
    const message = "the name was used before; the later definition counts";
    this.#find("warning", "duplicate-name", `.${list}[${position}].name`, message);
  }

  #findUnknown(
    code: "unknown-role" | "unknown-privilege" | "unknown-identity",
    path: string,
    name: string,
  ): void {
    const what = code.slice("unknown-".length);
    const message = `there is no ${what} of this name: \`${jsonPathStep(name).slice(0, 80)}\``;
    this.#find("warning", code, path, message);
  }

  #find(
    severity: CompileFinding["severity"],
    code: CompileCode,
    path: string,
    message: string,
  ): void {
    if (severity === "error") this.#errors++;
    const count = severity === "error" ? this.#errors : this.findings.length + 1 - this.#errors;
    if (count > MAX_FINDINGS) return;
    this.findings.push({ severity, code, path: this.#at + path, message });
  }
}

function addTo(groups: Map<GrantNode, Entry[]>, node: GrantNode, entry: Entry): void {
  const entries = groups.get(node);
  if (entries === undefined) groups.set(node, [entry]);
  else entries.push(entry);
}

function constraintsOf(parameters: ReadonlyMap<string, string> | null): Entry["constraints"] {
  return parameters === null || parameters.size === 0 ? NO_CONSTRAINTS : [...parameters];
}

function faultText(fault: PatternFault): string {
  if (fault === "EMPTY_KEY") return "EMPTY_KEY, no request has a parameter without a name";
  if (fault === "REPEATED_KEY") {
    return "REPEATED_KEY, two of its parameters are the same once decoded";
  }
  return `${fault}, ${CANON_MEANINGS[fault]}`;
}
