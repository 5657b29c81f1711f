import type { IdentityIndex } from "./identity_index.ts";
import type { Members } from "./members.ts";
import type { CallerClaims } from "./question.ts";

/** Values of one key below a node. */
interface KeyBranch {
  readonly byValue: Map<string, GrantNode>;
  /** A privilege that ends right below some value; `null` when each goes on to further keys. */
  ending: string | null;
}

/** Values by key, as the matcher in question reads a request's query. */
export type QueryValues = ReadonlyMap<string, readonly string[]>;

/**
 * The privileges of one path, ordered by their constraints: the way from the root to a node is one constraint a step, keys in
 * one order for the whole path. A request visits only nodes whose constraints it satisfies, however many privileges there are.
 */
export class GrantNode {
  /** The first privilege that ends here, and who has it. */
  #privilege: string | null = null;
  #members: Members | null = null;
  /** With different members: the members of all privileges that end here, with the first privilege of each. */
  #others: Map<Members, string> | null = null;
  /** With different members: class of identities to the first members with it. */
  #merged: Map<number, Members> | null = null;
  #branches: Map<string, KeyBranch> | null = null;

  /** Whether requests must be asked for their query. */
  get looksAtQuery(): boolean {
    return this.#branches !== null;
  }

  /** The node one constraint further, made when there is none. `ending`: the privilege, when it ends there. */
  branch(key: string, value: string, ending: string | null): GrantNode {
    this.#branches ??= new Map();
    let branch = this.#branches.get(key);
    if (branch === undefined) {
      this.#branches.set(key, branch = { byValue: new Map(), ending: null });
    }
    branch.ending ??= ending;
    let node = branch.byValue.get(value);
    if (node === undefined) branch.byValue.set(value, node = new GrantNode());
    return node;
  }

  /** How many entries `end()` would copy. */
  copiesFor(members: Members): number {
    const first = this.#members;
    if (first === null || first === members || this.#others?.has(members)) return 0;
    return members.size + (this.#others === null ? first.size : 0);
  }

  /** Lets a privilege end here. Privileges with the same members are one. */
  end(privilege: string, members: Members): void {
    const first = this.#members ??= members;
    this.#privilege ??= privilege;
    if (first === members || this.#others?.has(members)) return;
    if (this.#others === null) {
      this.#others = new Map([[first, this.#privilege]]);
      this.#merged = new Map(
        Array.from(first.classes, (identityClass) => [identityClass, first]),
      );
    }
    this.#others.set(members, privilege);
    for (const identityClass of members.classes) {
      if (!this.#merged!.has(identityClass)) this.#merged!.set(identityClass, members);
    }
  }

  /**
   * Lets the scan see every privilege from here down that the query satisfies; true when one of them granted. The query may be
   * `null` where `looksAtQuery` is false.
   * `repeated`: a key on the way occurs more than once in the request, so nothing below grants, and everything still restricts.
   */
  visit(query: QueryValues | null, repeated: boolean, scan: Scan): boolean {
    if (this.#privilege !== null && this.#look(this.#privilege, repeated, scan)) return true;
    const branches = this.#branches;
    if (branches === null || query === null) return false;
    // The smaller side leads, so that neither many keys in rules nor many in a request cost more than the other side has.
    if (branches.size <= query.size) {
      for (const [key, branch] of branches) {
        const values = query.get(key);
        if (values !== undefined && visitBranch(branch, values, query, repeated, scan)) return true;
      }
      return false;
    }
    for (const [key, values] of query) {
      const branch = branches.get(key);
      if (branch !== undefined && visitBranch(branch, values, query, repeated, scan)) return true;
    }
    return false;
  }

  #look(first: string, repeated: boolean, scan: Scan): boolean {
    scan.refusedBy ??= first;
    if (repeated) return false;
    for (const identityClass of scan.classes()) {
      const members = this.#merged === null ? this.#members : this.#merged.get(identityClass);
      const identity = members?.nameOf(identityClass);
      if (identity === undefined) continue;
      scan.privilege = this.#others?.get(members!) ?? first;
      scan.identity = identity;
      return true;
    }
    return false;
  }
}

/**
 * A key that occurs once leads to the node of its value. One that occurs more often satisfies no grant, as the server may act
 * on any occurrence, and counts as a match whatever its values, so that restrictions hold. Source: authorization W-16, item 3.
 */
function visitBranch(
  branch: KeyBranch,
  values: readonly string[],
  query: QueryValues,
  repeated: boolean,
  scan: Scan,
): boolean {
  if (values.length === 1) {
    const node = branch.byValue.get(values[0]!);
    return node !== undefined && node.visit(query, repeated, scan);
  }
  if (branch.ending !== null) {
    scan.refusedBy ??= branch.ending;
    return false;
  }
  for (const node of branch.byValue.values()) {
    if (scan.refusedBy !== null) return false;
    node.visit(query, true, scan);
  }
  return false;
}

/** What one matcher finds out about one request. */
export class Scan {
  /** First privilege that matched; `null` when none did. */
  refusedBy: string | null = null;
  /** Privilege that granted; `null` when none did. */
  privilege: string | null = null;
  identity: string | null = null;
  readonly #caller: CallerClasses;

  constructor(caller: CallerClasses) {
    this.#caller = caller;
  }

  classes(): readonly number[] {
    return this.#caller.get();
  }
}

/** The classes of one caller, found at most once for one request, and only when a privilege matches. */
export class CallerClasses {
  #classes: readonly number[] | null = null;

  constructor(private readonly index: IdentityIndex, private readonly claims: CallerClaims) {}

  get(): readonly number[] {
    return this.#classes ??= this.index.classesOf(this.claims);
  }
}
