import { canonicalPath, renderTarget } from "../../domain/canonical/mod.ts";
import { compileItem, evaluate, questionOf } from "../../domain/policy/mod.ts";
import type { AuthorizationItem, Mode } from "../../domain/wire/mod.ts";
import {
  type ItemName,
  mergeCounts,
  type Observations,
  type ObservedCaller,
  type ObservedPath,
  type Variant,
} from "./observations.ts";
import { nameGrants, type SuggestedDocument } from "./suggested_document.ts";
import { grantCovers, type SuggestedGrant } from "./suggested_grant.ts";

/** Requests that were seen and for which there is no narrow rule. */
export interface Ungranted {
  readonly item: ItemName;
  readonly caller: ObservedCaller;
  readonly path: string;
  /** One of them. */
  readonly target: string;
  readonly count: number;
  readonly why: "path-too-broad" | "not-plain";
}

/** Rules for what was seen. */
export interface Suggestion {
  readonly document: SuggestedDocument;
  readonly grants: readonly SuggestedGrant[];
  readonly ungranted: readonly Ungranted[];
}

/**
 * The narrowest rules for what was seen: each caller by user and proven executable, each path with its parameters, nothing else.
 * INVARIANT: each grant was evaluated and allows what it was made for, in `enforce`, so in every matching.
 */
export function suggestRules(observations: Observations, mode: Mode): Suggestion {
  const grants: SuggestedGrant[] = [];
  const ungranted: Ungranted[] = [];
  for (const observed of inOrder(observations.paths)) {
    for (const variant of observed.variants.values()) {
      const grant = grantFor(observed, variant);
      if (typeof grant !== "string") {
        grants.push(grant);
        continue;
      }
      const { item, caller, path } = observed;
      const { sample: { target }, count } = variant;
      ungranted.push({ item, caller, path, target, count, why: grant });
    }
  }
  const kept = withoutCovered(grants);
  return { ...nameGrants(kept, mode), ungranted };
}

type Draft = Omit<SuggestedGrant, "privilege" | "identity">;

/** The grant for one kind of requests, or why there is none. */
function grantFor(observed: ObservedPath, variant: Variant): SuggestedGrant | Ungranted["why"] {
  const { item, caller, open } = observed;
  for (const path of pathsOf(observed.path)) {
    const segments = canonicalPath(path);
    if (!segments.ok) continue;
    let draft: Draft = {
      item,
      caller,
      path,
      segments: segments.value.segments,
      parameters: variant.parameters,
      open: [...open].sort(),
      uses: variant,
    };
    if (!allows({ ...draft, parameters: NO_PARAMETERS }, variant)) continue;
    if (!allows(draft, variant)) {
      // Some value cannot be written so that both matchers read it alike.
      const held = [...variant.parameters].filter(([key, value]) =>
        allows({ ...draft, parameters: new Map([[key, value]]) }, variant)
      );
      const left = [...variant.parameters.keys()].filter((key) =>
        !held.some(([name]) => name === key)
      );
      draft = { ...draft, parameters: new Map(held), open: [...open, ...left].sort() };
      if (!allows(draft, variant)) continue;
    }
    // The root is where every path begins: without a parameter the grant would be one for everything.
    if (draft.segments.length === 1 && draft.parameters.size === 0) return "path-too-broad";
    return { ...draft, privilege: "", identity: "" };
  }
  return "not-plain";
}

const NO_PARAMETERS: ReadonlyMap<string, string> = Object.freeze(new Map<string, string>([]));

/** As the legacy matcher compares it, then as the canonical form writes it. */
function pathsOf(path: string): readonly string[] {
  const canonical = canonicalPath(path);
  if (!canonical.ok) return [path];
  return [path, renderTarget({ ...canonical.value, query: new Map() })];
}

/** Whether a grant by itself allows the request that it was made for, strictly. */
function allows(draft: Draft, { sample }: Variant): boolean {
  const { userName, exePath } = draft.caller;
  const item: AuthorizationItem = {
    defaultAccess: "deny",
    mode: "enforce",
    id: "suggested",
    rules: {
      privileges: [{ name: "p", path: draft.path, queryParameters: draft.parameters }],
      roles: [{ name: "r", privileges: ["p"] }],
      identities: [{ name: "i", userName, groupName: null, exePath, processName: null }],
      roleAssignments: [{ role: "r", identities: ["i"] }],
    },
    source: new Map([]),
  };
  const { compiled, findings } = compileItem(item);
  if (findings.some(({ severity }) => severity === "error")) return false;
  const question = questionOf(sample.method, sample.target, sample.claims);
  return evaluate(compiled, question, "enforce").allowed;
}

/** Without grants that a broader one of the same caller makes needless; their uses count as the broader one's. */
function withoutCovered(grants: readonly SuggestedGrant[]): readonly SuggestedGrant[] {
  const byCaller = new Map<string, SuggestedGrant[]>();
  // Shorter paths and fewer parameters first: what covers comes before what is covered.
  const ordered = grants
    .map((grant, index) => ({ grant, index }))
    .sort(({ grant: left, index: before }, { grant: right, index: after }) =>
      left.segments.length - right.segments.length ||
      left.parameters.size - right.parameters.size || before - after
    );
  const kept = new Set<SuggestedGrant>();
  for (const { grant } of ordered) {
    const key = JSON.stringify([grant.item, grant.caller.userName, grant.caller.exePath]);
    const others = byCaller.get(key) ?? [];
    byCaller.set(key, others);
    const broader = others.find((other) => grantCovers(other, grant) && allows(other, grant.uses));
    if (broader !== undefined) {
      mergeCounts(broader.uses, grant.uses);
      continue;
    }
    others.push(grant);
    kept.add(grant);
  }
  return grants.filter((grant) => kept.has(grant));
}

/** One order, whatever the order of the log: by item, caller and path. */
function inOrder(paths: Iterable<ObservedPath>): readonly ObservedPath[] {
  const key = ({ item, caller, path }: ObservedPath) =>
    JSON.stringify([item, caller.userName, caller.exePath, path]);
  return [...paths]
    .map((observed) => ({ observed, at: key(observed) }))
    .sort(({ at: left }, { at: right }) => left < right ? -1 : left > right ? 1 : 0)
    .map(({ observed }) => ({
      ...observed,
      variants: new Map([...observed.variants].sort(([left], [right]) => left < right ? -1 : 1)),
    }));
}
