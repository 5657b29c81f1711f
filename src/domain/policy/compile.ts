import { CANON_MEANINGS } from "../canonical/mod.ts";
import type { AuthorizationItem, Identity, Mode, Privilege, RuleSet } from "../wire/key_status.ts";
import { canonicalPattern, type PatternFault } from "./canonical_matcher.ts";
import { type CompileFinding, Findings } from "./compile_findings.ts";
import { GrantNode } from "./grant_tree.ts";
import { IdentityIndex } from "./identity_index.ts";
import type { PathFlavour } from "./identity_matcher.ts";
import { lowerPrivilege } from "./legacy_matcher.ts";
import { CopyBudget, Members, readMembers } from "./members.ts";
import { PathIndex, pathOf, type PathSlot } from "./path_index.ts";

export type { CompileCode, CompileFinding } from "./compile_findings.ts";

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
  readonly paths: PathIndex;
  /**
   * The privileges that the canonical matcher knows: all of the document, even when a list is missing and the legacy matcher
   * therefore knows none (DEVIATION D-92).
   */
  readonly canonicalPrivileges: ReadonlyMap<string, Privilege>;
}

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

/** Most entries that sets of identities may be copied into. Only documents made to be large need more. DEVIATION D-95. */
export const MAX_COPIED_GRANTS = 1_000_000;
/** Most query parameters of one privilege: the tree of constraints is as deep as that. */
export const MAX_PARAMETERS = 64;
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
    paths: compiler.paths,
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
  return { compiled, findings: findings.found };
}

type Constraints = readonly (readonly [key: string, value: string])[];

/** One privilege on its way into the index; a slot is `null` where a matcher does not know it. */
interface Entry {
  readonly name: string;
  readonly members: Members;
  readonly legacy: PathSlot | null;
  readonly constraints: Constraints;
  readonly canonical: PathSlot | null;
  readonly canonicalConstraints: Constraints;
}

const LISTS = Object.freeze(["privileges", "roles", "identities", "roleAssignments"] as const);

class Compiler {
  readonly flavour: PathFlavour;
  readonly isComplete: boolean;
  readonly privileges = new Map<string, Privilege>();
  readonly identities = new Map<string, Identity>();
  readonly assignments = new Map<string, ReadonlySet<string>>();
  readonly identityIndex: IdentityIndex;
  readonly paths = new PathIndex();
  readonly findings: Findings;

  readonly #rules: RuleSet | null;
  readonly #budget: CopyBudget;
  #steps = 0;

  constructor(rules: RuleSet | null, options: CompileOptions) {
    this.#rules = rules;
    this.flavour = options.flavour ?? "unix";
    this.identityIndex = new IdentityIndex(this.flavour);
    this.isComplete = rules !== null && LISTS.every((list) => rules[list] !== null);
    this.findings = new Findings(`${options.at ?? "$"}.rules`);
    this.#budget = new CopyBudget(MAX_COPIED_GRANTS, this.findings);
  }

  *run(): Generator<void, void> {
    const rules = this.#rules;
    if (rules === null) return;
    for (const list of LISTS) {
      if (rules[list] !== null) continue;
      const message = "the list is missing: the legacy matcher ignores all rules then";
      this.findings.warn("list-missing", `.${list}`, message);
    }
    const positions = yield* this.#readPrivileges(rules.privileges ?? []);
    const classOf = yield* this.#readIdentities(rules.identities ?? []);
    const { privileges, findings } = this;
    const isDue = () => this.#isDue();
    const members = this.isComplete
      ? yield* readMembers({ rules, privileges, classOf, findings, budget: this.#budget, isDue })
      : new Map<string, Members>();
    for (const [privilege, { names }] of members) {
      this.assignments.set(privilege, names);
      if (isDue()) yield;
    }
    const entries = yield* this.#place(positions, members);
    yield* this.#index(entries);
  }

  *#readPrivileges(privileges: readonly Privilege[]): Generator<void, Map<string, number>> {
    const positions = new Map<string, number>();
    for (let position = 0; position < privileges.length; position++) {
      const privilege = privileges[position]!;
      if (positions.has(privilege.name)) this.findings.duplicate("privileges", position);
      this.privileges.set(privilege.name, lowerPrivilege(privilege));
      positions.set(privilege.name, position);
      if (this.#isDue()) yield;
    }
    return positions;
  }

  /** The class of each identity by its name. */
  *#readIdentities(identities: readonly Identity[]): Generator<void, Map<string, number>> {
    for (let position = 0; position < identities.length; position++) {
      const identity = identities[position]!;
      if (this.identities.has(identity.name)) this.findings.duplicate("identities", position);
      this.identities.set(identity.name, identity);
      if (this.#isDue()) yield;
    }
    const classOf = new Map<string, number>();
    for (const identity of this.identities.values()) {
      classOf.set(identity.name, this.identityIndex.add(identity));
      if (this.#isDue()) yield;
    }
    return classOf;
  }

  /** Finds the places of all privileges, and which places both matchers fill alike. */
  *#place(
    positions: ReadonlyMap<string, number>,
    members: ReadonlyMap<string, Members>,
  ): Generator<void, Entry[]> {
    const nobody = new Members(new Set(), new Map());
    const entries: Entry[] = [];
    for (const privilege of this.privileges.values()) {
      if (this.#isDue()) yield;
      const { name, path } = privilege;
      if ((privilege.queryParameters?.size ?? 0) > MAX_PARAMETERS) {
        const at = `.privileges[${positions.get(name)}].queryParameters`;
        const message = `there are more than ${MAX_PARAMETERS} parameters`;
        this.findings.error("too-many-parameters", at, message);
        continue;
      }
      const legacy = this.isComplete ? this.paths.at(path) : null;
      const constraints = constraintsOf(privilege.queryParameters);
      const pattern = canonicalPattern(privilege);
      if (!pattern.ok) {
        const at = `.privileges[${positions.get(name)}]`;
        const message = `the privilege has no canonical form: ${faultText(pattern.error)}`;
        this.findings.error("not-canonical", at, message);
      }
      const canonical = pattern.ok ? this.paths.at(pathOf(pattern.value.segments)) : null;
      const isSame = pattern.ok && isSameMap(pattern.value.constraints, constraints);
      if (legacy !== canonical || !isSame) {
        if (legacy !== null) legacy.isSplit = true;
        if (canonical !== null) canonical.isSplit = true;
      }
      entries.push({
        name,
        members: members.get(name) ?? nobody,
        legacy,
        constraints,
        canonical,
        canonicalConstraints: isSame || !pattern.ok
          ? constraints
          : constraintsOf(pattern.value.constraints),
      });
    }
    return entries;
  }

  *#index(entries: readonly Entry[]): Generator<void, void> {
    const order = yield* this.#keyOrder(entries);
    for (const { name, members, legacy, constraints, canonical, canonicalConstraints } of entries) {
      if (this.#isDue()) yield;
      if (legacy !== null) {
        legacy.legacy ??= new GrantNode();
        this.#grow(legacy.legacy, name, members, constraints, order);
        // Nearly always both matchers group the privileges alike: then they share the tree, in memory and in the caches.
        if (!legacy.isSplit) legacy.canonical = legacy.legacy;
      }
      if (canonical !== null && canonical.isSplit) {
        canonical.canonical ??= new GrantNode();
        this.#grow(canonical.canonical, name, members, canonicalConstraints, order);
      }
    }
  }

  #grow(
    root: GrantNode,
    name: string,
    members: Members,
    constraints: Constraints,
    order: ReadonlyMap<string, number>,
  ): void {
    const sorted = constraints.length < 2 ? constraints : [...constraints].sort(
      ([left], [right]) => order.get(left)! - order.get(right)!,
    );
    let node = root;
    for (let index = 0; index < sorted.length; index++) {
      const [key, value] = sorted[index]!;
      node = node.branch(key, value, index === sorted.length - 1 ? name : null);
    }
    if (this.#budget.take(node.copiesFor(members))) node.end(name, members);
  }

  /**
   * One order for the keys of all privileges that have several: fewest values first, so that the many values stand at the ends,
   * where a repeated key need not look at them one by one.
   */
  *#keyOrder(entries: readonly Entry[]): Generator<void, ReadonlyMap<string, number>> {
    const values = new Map<string, Set<string>>();
    for (const { constraints, canonicalConstraints } of entries) {
      if (this.#isDue()) yield;
      if (constraints.length < 2) continue;
      for (const [key, value] of [...constraints, ...canonicalConstraints]) {
        const known = values.get(key);
        if (known === undefined) values.set(key, new Set([value]));
        else known.add(value);
      }
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
}

function constraintsOf(parameters: ReadonlyMap<string, string> | null): Constraints {
  return parameters === null ? [] : [...parameters];
}

function isSameMap(map: ReadonlyMap<string, string>, constraints: Constraints): boolean {
  return map.size === constraints.length &&
    constraints.every(([key, value]) => map.get(key) === value);
}

function faultText(fault: PatternFault): string {
  if (fault === "EMPTY_KEY") return "EMPTY_KEY, no request has a parameter without a name";
  if (fault === "REPEATED_KEY") {
    return "REPEATED_KEY, two of its parameters are the same once decoded";
  }
  return `${fault}, ${CANON_MEANINGS[fault]}`;
}
