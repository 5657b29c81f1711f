import {
  type CallerClaims,
  type CompiledItem,
  compileItem,
  type Mode,
  type PathFlavour,
} from "../../../../src/domain/policy/mod.ts";
import type { AuthorizationItem, Identity, RuleSet } from "../../../../src/domain/wire/mod.ts";

export interface SampleRules {
  readonly defaultAccess?: "allow" | "deny";
  readonly mode?: Mode;
  readonly id?: string;
  /** Name to path, or to path and query parameters. */
  readonly privileges?: Record<string, string | readonly [string, Record<string, string>]>;
  readonly identities?: Record<string, Partial<Omit<Identity, "name">>>;
  /** Privilege to the identities that have it; each gets a role of its own. */
  readonly grants?: Record<string, readonly string[]>;
  /** Lists to leave out. */
  readonly without?: readonly (keyof RuleSet)[];
}

/** An item as the parser hands it over; with default access denied, in Enforce, unless told otherwise. */
export function sampleItem(sample: SampleRules = {}): AuthorizationItem {
  const grants = Object.entries(sample.grants ?? {});
  const rules: RuleSet = {
    privileges: Object.entries(sample.privileges ?? {}).map(([name, shape]) => {
      const [path, parameters] = typeof shape === "string" ? [shape, null] : shape;
      const queryParameters = parameters === null ? null : new Map(Object.entries(parameters));
      return { name, path, queryParameters };
    }),
    identities: Object.entries(sample.identities ?? {}).map(([name, selectors]) =>
      sampleIdentity(name, selectors)
    ),
    roles: grants.map(([privilege]) => ({ name: `role-${privilege}`, privileges: [privilege] })),
    roleAssignments: grants.map(([privilege, identities]) => ({
      role: `role-${privilege}`,
      identities,
    })),
  };
  const left = Object.fromEntries((sample.without ?? []).map((list) => [list, null]));
  return {
    id: sample.id ?? "rules-1",
    defaultAccess: sample.defaultAccess ?? "deny",
    mode: sample.mode ?? "enforce",
    rules: { ...rules, ...left },
    source: new Map(),
  };
}

export function sampleIdentity(
  name: string,
  selectors: Partial<Omit<Identity, "name">> = {},
): Identity {
  return { name, userName: null, groupName: null, exePath: null, processName: null, ...selectors };
}

export function sampleCompiled(sample: SampleRules = {}, flavour?: PathFlavour): CompiledItem {
  return compileItem(sampleItem(sample), flavour === undefined ? {} : { flavour }).compiled;
}

/** A caller of whom nothing is known but what is told. */
export function sampleClaims(claims: Partial<CallerClaims> = {}): CallerClaims {
  return {
    userName: null,
    userGroups: [],
    processName: null,
    processFullPath: null,
    elevated: false,
    ...claims,
  };
}

export const ALICE = sampleClaims({ userName: "alice", userGroups: ["users", "ops"] });
export const BOB = sampleClaims({ userName: "bob" });
