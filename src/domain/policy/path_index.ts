import { GrantNode, type QueryValues, type Scan } from "./grant_tree.ts";

/** A node of the tree of characters. `label`: the text between the parent and this node. */
interface TextNode {
  label: string;
  children: Map<number, TextNode> | null;
  grants: GrantNode | null;
}

/**
 * Rule paths as plain text: finds all that a request path starts with in one walk along it. No segment boundary is needed,
 * as the legacy matcher demands. Cost: the length of the path, not the number of rules. Source: authorization 3.2.
 */
export class TextIndex {
  readonly #root: TextNode = { label: "", children: null, grants: null };

  /** The grants of a rule path, made when there are none. */
  at(path: string): GrantNode {
    let node = this.#root;
    let rest = path;
    while (rest !== "") {
      node.children ??= new Map();
      const first = rest.charCodeAt(0);
      const child = node.children.get(first);
      if (child === undefined) {
        const leaf: TextNode = { label: rest, children: null, grants: new GrantNode() };
        node.children.set(first, leaf);
        return leaf.grants!;
      }
      const shared = sharedLength(child.label, rest);
      node = shared === child.label.length ? child : splitNode(node.children, child, shared);
      rest = rest.slice(shared);
    }
    return node.grants ??= new GrantNode();
  }

  /** Lets the scan see every matching privilege; the query is asked for only when a constraint stands on the way. */
  visit(path: string, query: { values(): QueryValues }, scan: Scan): void {
    let node = this.#root;
    let at = 0;
    for (;;) {
      const { grants } = node;
      if (grants !== null) {
        const values = grants.looksAtQuery ? query.values() : null;
        if (grants.visit(values, false, scan)) return;
      }
      const child = node.children?.get(path.charCodeAt(at));
      if (child === undefined || !path.startsWith(child.label, at)) return;
      at += child.label.length;
      node = child;
    }
  }
}

function sharedLength(left: string, right: string): number {
  const most = Math.min(left.length, right.length);
  let at = 1;
  while (at < most && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  return at;
}

/** Puts a node in front of `child` that holds the first `length` characters of its label. */
function splitNode(siblings: Map<number, TextNode>, child: TextNode, length: number): TextNode {
  const front: TextNode = { label: child.label.slice(0, length), children: null, grants: null };
  siblings.set(front.label.charCodeAt(0), front);
  child.label = child.label.slice(length);
  front.children = new Map([[child.label.charCodeAt(0), child]]);
  return front;
}

/** A node of the tree of segments. */
interface SegmentNode {
  children: Map<string, SegmentNode> | null;
  grants: GrantNode | null;
}

/**
 * Rule paths as segments: finds all that are a prefix of a request's segments. Cost: the number of segments, not of rules.
 * Source: authorization 3.11.
 */
export class SegmentIndex {
  readonly #root: SegmentNode = { children: null, grants: null };

  /** The grants of a rule path, made when there are none. The first segment is the root, `""`. */
  at(segments: readonly string[]): GrantNode {
    let node = this.#root;
    for (let index = 1; index < segments.length; index++) {
      const segment = segments[index]!;
      node.children ??= new Map();
      let child = node.children.get(segment);
      if (child === undefined) {
        node.children.set(segment, child = { children: null, grants: null });
      }
      node = child;
    }
    return node.grants ??= new GrantNode();
  }

  /** Lets the scan see every matching privilege. */
  visit(segments: readonly string[], query: QueryValues, scan: Scan): void {
    let node: SegmentNode | undefined = this.#root;
    for (let index = 1;; index++) {
      if (node.grants !== null && node.grants.visit(query, false, scan)) return;
      const segment = segments[index];
      node = segment === undefined ? undefined : node.children?.get(segment);
      if (node === undefined) return;
    }
  }
}
