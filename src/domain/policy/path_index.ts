import type { GrantNode, QueryValues, Scan } from "./grant_tree.ts";

/** The place of a rule path in the index, with what each matcher knows there. */
export interface PathSlot {
  legacy: GrantNode | null;
  canonical: GrantNode | null;
  /** Whether the two know different privileges here; if not, they share one tree. */
  isSplit: boolean;
}

/** A node of the tree. `label`: the text between the parent and this node. */
interface PathNode extends PathSlot {
  label: string;
  children: Map<number, PathNode> | null;
}

const SLASH = 0x2f;

/**
 * The rule paths of both matchers in one tree of characters: finds all that are a prefix of a request's path in one walk along
 * it. The cost is the length of the path, not the number of rules. As both matchers nearly always go the same way, the second
 * walk finds everything in the caches. Source: authorization 3.2 and 3.11.
 */
export class PathIndex {
  readonly #root: PathNode = emptyNode("");

  /** The place of a rule path, made when there is none. */
  at(path: string): PathSlot {
    let node = this.#root;
    let rest = path;
    while (rest !== "") {
      node.children ??= new Map();
      const first = rest.charCodeAt(0);
      const child = node.children.get(first);
      if (child === undefined) {
        const leaf = emptyNode(rest);
        node.children.set(first, leaf);
        return leaf;
      }
      const shared = sharedLength(child.label, rest);
      node = shared === child.label.length ? child : splitNode(node.children, child, shared);
      rest = rest.slice(shared);
    }
    return node;
  }

  /**
   * Lets the scan see every privilege whose path the request's path starts with, as text. The query is asked for only when a
   * constraint stands on the way.
   */
  visitLegacy(path: string, query: { values(): QueryValues }, scan: Scan): void {
    let node: PathNode | null = this.#root;
    for (let at = 0; node !== null; at += node?.label.length ?? 0) {
      const { legacy } = node;
      if (legacy !== null) {
        const values = legacy.looksAtQuery ? query.values() : null;
        if (legacy.visit(values, false, scan)) return;
      }
      node = childOf(node, path, at);
    }
  }

  /** Lets the scan see every privilege whose segments are a prefix of the request's. */
  visitCanonical(segments: readonly string[], query: QueryValues, scan: Scan): void {
    const path = pathOf(segments);
    let node: PathNode | null = this.#root;
    for (let at = 0; node !== null; at += node?.label.length ?? 0) {
      const { canonical } = node;
      const isWhole = at === path.length || path.charCodeAt(at) === SLASH;
      if (canonical !== null && isWhole && canonical.visit(query, false, scan)) return;
      node = childOf(node, path, at);
    }
  }
}

/** Segments as one text, each behind a slash; no segment holds one. The root, `""`, is a prefix of everything. */
export function pathOf(segments: readonly string[]): string {
  return segments.join("/");
}

function childOf(node: PathNode, path: string, at: number): PathNode | null {
  if (node.children === null) return null;
  const child = node.children.get(path.charCodeAt(at));
  return child !== undefined && path.startsWith(child.label, at) ? child : null;
}

function sharedLength(left: string, right: string): number {
  const most = Math.min(left.length, right.length);
  let at = 1;
  while (at < most && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  return at;
}

/** Puts a node in front of `child` that holds the first `length` characters of its label. */
function splitNode(siblings: Map<number, PathNode>, child: PathNode, length: number): PathNode {
  const front = emptyNode(child.label.slice(0, length));
  siblings.set(front.label.charCodeAt(0), front);
  child.label = child.label.slice(length);
  front.children = new Map([[child.label.charCodeAt(0), child]]);
  return front;
}

function emptyNode(label: string): PathNode {
  return { legacy: null, canonical: null, isSplit: false, label, children: null };
}
