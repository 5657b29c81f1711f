import type { IdentityIndex } from "./identity_index.ts";
import type { CallerClaims } from "./question.ts";

/** Identities that share one set of grants; privileges with the same roles share the object. */
export interface Members {
  /** Names, for the compiled form. */
  readonly names: ReadonlySet<string>;
  /** Class of identities to the name of its first one. */
  readonly classes: ReadonlyMap<number, string>;
}

/** A privilege that ends at a node, and who has it. */
interface Holder {
  readonly privilege: string;
  readonly members: Members;
}

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
  /** The first privilege that ends here. */
  #first: Holder | null = null;
  /** Members of all privileges that end here, when they differ; each counts once. */
  #members: Set<Members> | null = null;
  /** With different members: class of identities to the first privilege that names it. */
  #merged: Map<number, Holder> | null = null;
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

  /** Lets a privilege end here. Returns how many entries were copied for it, which the caller bounds. */
  end(privilege: string, members: Members): number {
    const holder = { privilege, members };
    const first = this.#first ??= holder;
    if (first.members === members || this.#members?.has(members)) return 0;
    if (this.#members === null) {
      this.#members = new Set();
      this.#merged = new Map();
    }
    const copied = this.#members.size === 0 ? this.#merge(first) : 0;
    return copied + this.#merge(holder);
  }

  #merge(holder: Holder): number {
    const { classes } = holder.members;
    this.#members!.add(holder.members);
    for (const identityClass of classes.keys()) {
      if (!this.#merged!.has(identityClass)) this.#merged!.set(identityClass, holder);
    }
    return classes.size;
  }

  /**
   * Lets the scan see every privilege from here down that the query satisfies; true when one of them granted. The query may be
   * `null` where `looksAtQuery` is false.
   * `repeated`: a key on the way occurs more than once in the request, so nothing below grants, and everything still restricts.
   */
  visit(query: QueryValues | null, repeated: boolean, scan: Scan): boolean {
    if (this.#first !== null && this.#look(this.#first, repeated, scan)) return true;
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

  #look(first: Holder, repeated: boolean, scan: Scan): boolean {
    scan.refusedBy ??= first.privilege;
    if (repeated) return false;
    for (const identityClass of scan.classes()) {
      const holder = this.#merged === null ? first : this.#merged.get(identityClass);
      const identity = holder?.members.classes.get(identityClass);
      if (identity === undefined) continue;
      scan.privilege = holder!.privilege;
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
