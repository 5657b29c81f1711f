/**
 * Whether a raw path is refused before anything else is looked at, in every mode: it contains `//`, or `..` after percent
 * decoding once, also inside a segment. The query is not inspected. Source: authorization 3.6.
 */
export function isTraversal(path: string): boolean {
  if (path.includes("//") || path.includes("..")) return true;
  // Of all escapes only an encoded dot can make a `..`, and no dot can come out of a malformed sequence.
  return path.includes("%2") && path.replace(/%2e/gi, ".").includes("..");
}
