import { canonicalPattern, compileItem } from "../../domain/policy/mod.ts";
import type { CanonicalPattern } from "../../domain/policy/mod.ts";
import type { AuthorizationItem, Identity } from "../../domain/wire/mod.ts";
import { type LintFindings, quoted } from "./lint_finding.ts";

/** Pairs of privileges, and of their identities, that are compared at most: about a second of work. */
const MOST_COMPARISONS = 2_000_000;

interface Entry {
  readonly name: string;
  readonly index: number;
  readonly pattern: CanonicalPattern;
  readonly holders: readonly Identity[];
}

/**
 * Finds privileges that a broader one makes needless, because everybody who has them has the broader one too, and those whose
 * restriction a broader one undoes for somebody: no privilege takes precedence, so what any of them grants is granted.
 */
export function lintShadows(item: AuthorizationItem, rules: string, found: LintFindings): void {
  const entries = entriesOf(item);
  const byPath = new Map<string, Entry[]>();
  for (const entry of entries) {
    const key = entry.pattern.segments.join("/");
    const others = byPath.get(key);
    if (others === undefined) byPath.set(key, [entry]);
    else others.push(entry);
  }
  const budget = { left: MOST_COMPARISONS };
  for (const entry of entries) {
    if (entry.holders.length === 0) continue;
    for (const broader of broaderThan(entry, byPath, budget)) {
      if (budget.left <= 0) {
        const message = "too many privileges overlap to compare them all";
        found.add("note", "lint-cut-short", rules, message);
        return;
      }
      const path = `${rules}.privileges[${entry.index}]`;
      if (covers(broader.holders, entry.holders, budget)) {
        const message = `everybody who has it has ${quoted(broader.name)} too, which is broader; ` +
          "it can be left out";
        found.add("warning", "privilege-shadowed", path, message);
        break;
      }
      if (!covers(entry.holders, broader.holders, budget)) {
        const message = `whoever has ${quoted(broader.name)} may do this as well: no privilege ` +
          "takes precedence over a broader one";
        found.add("note", "privilege-overridden", path, message);
        break;
      }
    }
  }
}

function entriesOf(item: AuthorizationItem): readonly Entry[] {
  const { compiled } = compileItem(item);
  const positions = new Map(
    (item.rules?.privileges ?? []).map(({ name }, index) => [name, index] as const),
  );
  const entries: Entry[] = [];
  for (const privilege of compiled.privileges.values()) {
    const pattern = canonicalPattern(privilege);
    if (!pattern.ok) continue;
    const holders = [...compiled.privilegeAssignments.get(privilege.name) ?? []]
      .map((name) => compiled.identities.get(name)!);
    const index = positions.get(privilege.name)!;
    entries.push({ name: privilege.name, index, pattern: pattern.value, holders });
  }
  return entries;
}

/** Privileges whose path leads to the entry's and whose constraints are among the entry's. Of equals, the first is broader. */
function* broaderThan(
  entry: Entry,
  byPath: ReadonlyMap<string, readonly Entry[]>,
  budget: { left: number },
): Generator<Entry, void> {
  const { segments, constraints } = entry.pattern;
  for (let length = 1; length <= segments.length; length++) {
    for (const other of byPath.get(segments.slice(0, length).join("/")) ?? []) {
      budget.left--;
      if (budget.left <= 0) {
        yield other;
        return;
      }
      if (other === entry || !isSubset(other.pattern.constraints, constraints)) continue;
      const isEqual = length === segments.length &&
        other.pattern.constraints.size === constraints.size;
      if (!isEqual || other.index < entry.index) yield other;
    }
  }
}

function isSubset(
  some: ReadonlyMap<string, string>,
  all: ReadonlyMap<string, string>,
): boolean {
  return some.size <= all.size && [...some].every(([key, value]) => all.get(key) === value);
}

/** Whether every caller who is one of `narrow` is one of `broad` for sure. */
function covers(
  broad: readonly Identity[],
  narrow: readonly Identity[],
  budget: { left: number },
): boolean {
  return narrow.every((identity) =>
    broad.some((other) => {
      budget.left--;
      return other === identity || isBroader(other, identity);
    })
  );
}

function isBroader(broad: Identity, narrow: Identity): boolean {
  return (["userName", "groupName", "exePath", "processName"] as const).every((selector) =>
    broad[selector] === null || broad[selector] === narrow[selector]
  );
}
