import type { CompiledItem, EndpointPolicy } from "../../domain/policy/mod.ts";
import type { Identity, Privilege } from "../../domain/wire/mod.ts";
import { neighboursOf } from "./neighbours.ts";
import {
  callerOfIdentity,
  claimsKey,
  nearMisses,
  type ProbeCaller,
  STRANGER,
  STRANGER_WITHOUT_RIGHTS,
} from "./probe_callers.ts";

/** A request that was made up to compare policies by. */
export interface Probe {
  readonly target: string;
  readonly caller: ProbeCaller;
  /** How the target differs from the one that a privilege spells out; `plain` for that one. */
  readonly mutation: string;
}

/** Most requests that are made up for one endpoint. */
export const MOST_PROBES = 200_000;
/** Holders of a privilege for whom all neighbours of its path are tried; for the others the plain request is. */
const MOST_VARIED_HOLDERS = 4;

/** Paths that say what happens where no rule speaks. */
const ELSEWHERE: readonly string[] = Object.freeze(["/", "/policy-tool-probe"]);

/**
 * Requests that tell two policies of an endpoint apart: every path of either with what lies round it, by those who have the
 * privilege, by those who nearly have it and by strangers, and its plain request by everybody whom either knows. Deterministic;
 * each request once. Ends after `most`.
 */
export function* probesOf(
  policies: readonly EndpointPolicy[],
  most: number = MOST_PROBES,
): Generator<Probe, { readonly isCut: boolean }> {
  const items = policies.flatMap((policy) => policy.kind === "rules" ? [policy.rules] : []);
  const everybody = distinctCallers(items.flatMap((item) => [...item.identities.values()]));
  const seen = new Set<string>();
  const isNew = (target: string, caller: ProbeCaller) => {
    const { size } = seen;
    return seen.add(`${target} ${claimsKey(caller.claims)}`).size > size;
  };
  for (const target of ELSEWHERE) {
    for (const caller of [STRANGER_WITHOUT_RIGHTS, STRANGER, ...everybody]) {
      if (seen.size >= most) return { isCut: true };
      if (isNew(target, caller)) yield { target, caller, mutation: "plain" };
    }
  }
  for (const privilege of distinctPrivileges(items)) {
    const holders = holdersOf(items, privilege);
    const varied = distinct([
      ...holders.slice(0, MOST_VARIED_HOLDERS),
      STRANGER,
      STRANGER_WITHOUT_RIGHTS,
      ...holders.slice(0, MOST_VARIED_HOLDERS).flatMap(nearMisses),
    ]);
    const all = distinct([...varied, ...holders, ...everybody]);
    const parameters = privilege.queryParameters ?? new Map<string, string>();
    for (const { name, target } of neighboursOf({ path: privilege.path, parameters })) {
      for (const caller of name === "plain" ? all : varied) {
        if (seen.size >= most) return { isCut: true };
        if (!isNew(target, caller)) continue;
        yield { target, caller, mutation: name };
      }
    }
  }
  return { isCut: false };
}

function distinctPrivileges(items: readonly CompiledItem[]): readonly Privilege[] {
  const found = new Map<string, Privilege>();
  for (const item of items) {
    for (const privilege of item.index.canonicalPrivileges.values()) {
      const parameters = [...privilege.queryParameters ?? []].sort();
      const key = JSON.stringify([privilege.path, parameters]);
      if (!found.has(key)) found.set(key, privilege);
    }
  }
  return [...found.values()];
}

/** Whoever has a privilege of this name or of this path, in any of the items. */
function holdersOf(items: readonly CompiledItem[], privilege: Privilege): readonly ProbeCaller[] {
  const identities = items.flatMap((item) =>
    [...item.privilegeAssignments.get(privilege.name) ?? []]
      .map((name) => item.identities.get(name)!)
  );
  return distinctCallers(identities);
}

function distinctCallers(identities: readonly Identity[]): readonly ProbeCaller[] {
  return distinct(identities.map(callerOfIdentity));
}

function distinct(callers: readonly ProbeCaller[]): readonly ProbeCaller[] {
  const found = new Map<string, ProbeCaller>();
  for (const caller of callers) {
    const key = claimsKey(caller.claims);
    if (!found.has(key)) found.set(key, caller);
  }
  return [...found.values()];
}
