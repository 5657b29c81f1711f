/** A request that a privilege is about, as text that may stand in a target. */
export interface TwinBase {
  /** Escaped; begins with a slash. */
  readonly path: string;
  /** Escaped keys and values. */
  readonly pairs: readonly (readonly [key: string, value: string])[];
  /** A key that no privilege knows. */
  readonly unknownKey: string;
}

/** Changes a request in one way; `null` where there is nothing to change. */
export interface Mutation {
  readonly name: string;
  readonly make: (base: TwinBase) => string | null;
}

/** The target of a request. */
export function targetOf(path: string, pairs: TwinBase["pairs"]): string {
  if (pairs.length === 0) return path;
  return `${path}?${pairs.map(([key, value]) => `${key}=${value}`).join("&")}`;
}

/** Text that decodes to `text` and may stand in a path, its slashes as they are. */
export function escapePath(text: string): string {
  return escapeAllBut(text, /[^A-Za-z0-9\-._~/]/gu);
}

/** Text that decodes to `text` and may stand as key or value of a query, for either matcher. */
export function escapeQueryText(text: string): string {
  return escapeAllBut(text, /[^A-Za-z0-9\-._~]/gu);
}

function escapeAllBut(text: string, escaped: RegExp): string {
  return text.replace(escaped, (character) => {
    let escapes = "";
    for (const byte of new TextEncoder().encode(character)) escapes += escapeOf(byte);
    return escapes;
  });
}

/** Spellings of the same request: every caller gets the same verdict. */
export const EQUIVALENT: readonly Mutation[] = Object.freeze([
  { name: "path-case", make: onPath((path) => path.toUpperCase()) },
  { name: "path-escape", make: onPath(escapeFirstLetter) },
  { name: "extra-parameter", make: onPairs((pairs, base) => [...pairs, [base.unknownKey, "1"]]) },
  {
    name: "parameter-order",
    make: onPairs((pairs, base) => [[base.unknownKey, "1"], ...[...pairs].reverse()]),
  },
  { name: "key-case", make: onPair(([key, value]) => [key.toUpperCase(), value]) },
  { name: "key-escape", make: onPair(([key, value]) => [escapeFirstLetter(key), value]) },
  { name: "value-case", make: onPair(([key, value]) => [key, value.toUpperCase()]) },
  { name: "value-escape", make: onPair(([key, value]) => [key, escapeFirstLetter(value)]) },
]);

/** Other requests, that look like it: the privilege is not about them. */
export const DIFFERENT: readonly Mutation[] = Object.freeze([
  { name: "sibling-suffix", make: onLastSegment((segment) => `${segment}x`) },
  { name: "sibling-segment", make: onLastSegment(() => "self-test-sibling") },
  { name: "parent-path", make: onLastSegment(() => "") },
  { name: "missing-parameter", make: withPairs((pairs) => pairs.slice(1)) },
  { name: "other-value", make: onPair(([key, value]) => [key, `${value}x`]) },
  { name: "other-key", make: onPair(([key, value]) => [`${key}x`, value]) },
]);

/** A constrained key that occurs twice: grants nothing, and still restricts. */
export const REPEATED: readonly Mutation[] = Object.freeze([
  { name: "repeated-parameter", make: repeat((value) => value) },
  { name: "repeated-parameter-other-value", make: repeat((value) => `${value}x`) },
]);

/** Spellings that servers read in different ways: in `enforce` nobody gets through with them. */
export const AMBIGUOUS: readonly Mutation[] = Object.freeze([
  { name: "encoded-slash", make: onPath((path) => replaceLastSlash(path, "%2F")) },
  { name: "double-encoding", make: onPath((path) => escapeFirstLetter(path).replace("%", "%25")) },
  { name: "trailing-dot", make: atEnd(".") },
  { name: "trailing-space", make: atEnd("%20") },
  { name: "matrix-parameter", make: atEnd(";v=1") },
  { name: "encoded-matrix-parameter", make: atEnd("%3Bv=1") },
  { name: "encoded-query-mark", make: encodeQueryMark },
  { name: "backslash", make: onPath((path) => replaceLastSlash(path, "\\")) },
  { name: "encoded-backslash", make: onPath((path) => replaceLastSlash(path, "%5C")) },
  { name: "dot-segment", make: onPath((path) => replaceLastSlash(path, "/./")) },
  { name: "encoded-dot-segment", make: onPath((path) => replaceLastSlash(path, "/%2e/")) },
  { name: "control-character", make: atEnd("%00") },
  { name: "beyond-ascii", make: atEnd("%E2%84%AA") },
]);

function onPath(change: (path: string) => string): Mutation["make"] {
  return (base) => {
    const path = change(base.path);
    return path === base.path ? null : targetOf(path, base.pairs);
  };
}

/** The last segment of the path, its slash at the end taken off; an empty result leaves the parent. */
function onLastSegment(change: (segment: string) => string): Mutation["make"] {
  return (base) => {
    const path = trimmed(base.path);
    const slash = path.lastIndexOf("/");
    if (slash === path.length - 1) return null;
    const parent = path.slice(0, slash);
    const segment = change(path.slice(slash + 1));
    const changed = segment === "" ? parent : `${parent}/${segment}`;
    return targetOf(changed === "" ? "/" : changed, base.pairs);
  };
}

function onPairs(
  change: (pairs: TwinBase["pairs"], base: TwinBase) => TwinBase["pairs"],
): Mutation["make"] {
  return (base) => targetOf(base.path, change(base.pairs, base));
}

/** Like `onPairs`, where there are pairs. */
function withPairs(
  change: (pairs: TwinBase["pairs"]) => TwinBase["pairs"],
): Mutation["make"] {
  return (base) => base.pairs.length === 0 ? null : targetOf(base.path, change(base.pairs));
}

/** The first pair. */
function onPair(
  change: (pair: readonly [string, string]) => readonly [string, string],
): Mutation["make"] {
  return ({ path, pairs }) => {
    const [first, ...others] = pairs;
    if (first === undefined) return null;
    const changed = change(first);
    return changed[0] === first[0] && changed[1] === first[1]
      ? null
      : targetOf(path, [changed, ...others]);
  };
}

function repeat(change: (value: string) => string): Mutation["make"] {
  return withPairs((pairs) => [...pairs, [pairs[0]![0], change(pairs[0]![1])]]);
}

/** Puts text behind the last segment. */
function atEnd(text: string): Mutation["make"] {
  return onPath((path) => trimmed(path) + text);
}

function encodeQueryMark(base: TwinBase): string {
  const pairs = base.pairs.length === 0 ? [[base.unknownKey, "1"] as const] : base.pairs;
  return targetOf(base.path, pairs).replace("?", "%3F");
}

function trimmed(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

/** The last slash that separates two segments; of a path with one segment, its first. */
function replaceLastSlash(path: string, text: string): string {
  const whole = trimmed(path);
  const slash = whole.lastIndexOf("/");
  // A path has to begin with a slash, whatever is done to it.
  return slash <= 0 ? `/${text}${whole.slice(1)}` : whole.slice(0, slash) + text +
    whole.slice(slash + 1);
}

/** The text with its first letter that is no part of an escape escaped. */
function escapeFirstLetter(text: string): string {
  return text.replace(
    /^((?:[^%A-Za-z]|%[0-9A-Fa-f]{2})*)([A-Za-z])/,
    (_, before: string, letter: string) => before + escapeOf(letter.charCodeAt(0)),
  );
}

function escapeOf(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
