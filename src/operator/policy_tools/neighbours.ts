import { canonicalPath, renderTarget } from "../../domain/canonical/mod.ts";

/** A path and the parameters that a rule asks for, decoded. */
export interface GrantShape {
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** A request beside the one that a rule spells out. */
export interface Neighbour {
  /** How it differs; `plain` is the request itself. */
  readonly name: string;
  readonly target: string;
}

/** A segment and a value that no rule is likely to name. */
const STRANGE = "policy-tool-probe";
/** Constraints of a rule that are varied. */
const MOST_VARIED = 16;

/**
 * The request that a rule spells out, and requests round it: below, beside and above its path, with each parameter missing,
 * changed and repeated. Deterministic. A path without canonical form has no neighbours.
 */
export function neighboursOf({ path, parameters }: GrantShape): readonly Neighbour[] {
  const canonical = canonicalPath(path);
  if (!canonical.ok) return [];
  const { segments, trailingSlash } = canonical.value;
  const query = new Map([...parameters].map(([key, value]) => [key, [value]] as const));
  const found: Neighbour[] = [];
  const seen = new Set<string>();
  const add = (name: string, target: string) => {
    if (seen.has(target)) return;
    seen.add(target);
    found.push({ name, target });
  };
  type Segments = typeof segments;
  const withPath = (parts: Segments, slash = false) =>
    renderTarget({ segments: parts, trailingSlash: slash, query });
  const withQuery = (changed: ReadonlyMap<string, readonly string[]>) =>
    renderTarget({ segments, trailingSlash, query: changed });
  const plain = withPath(segments, trailingSlash);
  const written = plain.startsWith(path) ? null : spelled(path, parameters);
  if (written !== null) add("plain", written);
  add("plain", plain);
  add("below", withPath([...segments, STRANGE] as unknown as Segments));
  if (segments.length > 1) {
    const parent = segments.slice(0, -1) as unknown as Segments;
    const last = segments.at(-1)!;
    add("longer-name", withPath([...parent, `${last}x`] as unknown as Segments));
    add("beside", withPath([...parent, STRANGE] as unknown as Segments));
    add("above", withPath(parent));
  }
  for (const [key, value] of [...parameters].slice(0, MOST_VARIED)) {
    const without: Map<string, readonly string[]> = new Map(
      [...query].filter(([other]) => other !== key),
    );
    add(`without-${key}`, withQuery(without));
    const withValues = (values: readonly string[]) => withQuery(new Map(without).set(key, values));
    add(`other-${key}`, withValues([`${value}${STRANGE}`]));
    add(`repeated-${key}`, withValues([value, STRANGE]));
  }
  return found;
}

/** The request as the rule writes its path, where a matcher that compares texts would not find the canonical one. */
function spelled(path: string, parameters: ReadonlyMap<string, string>): string | null {
  if (!path.startsWith("/")) return null;
  const pairs = [...parameters].map(([key, value]) =>
    `${encodeURIComponent(key)}=${encodeURIComponent(value)}`
  );
  const stem = path.split("/").map(encodeURIComponent).join("/");
  return pairs.length === 0 ? stem : `${stem}?${pairs.join("&")}`;
}
