import type { Identity } from "../wire/key_status.ts";
import { type PathFlavour, pathKey, SELECTORS } from "./identity_matcher.ts";
import type { CallerClaims } from "./question.ts";

/** A node of the tree of selectors: one level for each selector, in the order of `SELECTORS`. */
interface SelectorNode {
  /** Identities without this level's selector. */
  any: SelectorNode | null;
  /** Identities by the value of this level's selector. */
  by: Map<string, SelectorNode> | null;
  /** Below the last level: the class of all identities with these selectors. */
  identityClass: number;
}

/**
 * Finds the identities that a caller is without looking at every identity. Identities with the same selectors are one class,
 * so a caller belongs to at most eight classes, and to eight more for each of the caller's groups.
 * Source: authorization 3.3.
 */
export class IdentityIndex {
  readonly #root: SelectorNode = emptyNode();
  readonly #flavour: PathFlavour;
  #classes = 0;

  constructor(flavour: PathFlavour) {
    this.#flavour = flavour;
  }

  /** Adds an identity and returns its class. */
  add(identity: Identity): number {
    let node = this.#root;
    for (const selector of SELECTORS) {
      const value = identity[selector];
      if (value === null) {
        node = node.any ??= emptyNode();
        continue;
      }
      const key = selector === "exePath" ? pathKey(value, this.#flavour) : value;
      node.by ??= new Map();
      let next = node.by.get(key);
      if (next === undefined) node.by.set(key, next = emptyNode());
      node = next;
    }
    if (node.identityClass < 0) node.identityClass = this.#classes++;
    return node.identityClass;
  }

  /** All classes that the caller belongs to. */
  classesOf(claims: CallerClaims): readonly number[] {
    const found: number[] = [];
    const path = claims.processFullPath;
    for (const users of step(this.#root, claims.userName)) {
      for (const names of step(users, claims.processName)) {
        const key = path === null || names.by === null ? null : pathKey(path, this.#flavour);
        for (const paths of step(names, key)) collectGroups(paths, claims.userGroups, found);
      }
    }
    return found;
  }
}

function collectGroups(node: SelectorNode, groups: readonly string[], found: number[]): void {
  if (node.any !== null) found.push(node.any.identityClass);
  const { by } = node;
  if (by === null) return;
  for (const group of groups) {
    const leaf = by.get(group);
    // A group that an account lists twice gives the class twice, which does no harm.
    if (leaf !== undefined) found.push(leaf.identityClass);
  }
}

function step(node: SelectorNode, claim: string | null): readonly SelectorNode[] {
  const named = claim === null || node.by === null ? undefined : node.by.get(claim);
  if (named === undefined) return node.any === null ? NONE : [node.any];
  return node.any === null ? [named] : [node.any, named];
}

const NONE: readonly SelectorNode[] = Object.freeze<SelectorNode[]>([]);

function emptyNode(): SelectorNode {
  return { any: null, by: null, identityClass: -1 };
}
