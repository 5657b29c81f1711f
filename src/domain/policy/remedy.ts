import { CANON_MEANINGS, canonicalize, renderTarget } from "../canonical/mod.ts";
import type { EndpointName } from "../wire/endpoints.ts";
import type { AuthorizationItem } from "../wire/key_status.ts";
import { type CompiledItem, compileItem } from "./compile.ts";
import { evaluate } from "./evaluate.ts";
import { LegacyRequest } from "./legacy_matcher.ts";
import type { CallerClaims, Matching, Question } from "./question.ts";
import type { Refusal } from "./refusal.ts";
import type { EndpointPolicy } from "./snapshot.ts";

/** Four lists to append to those of a rule document. */
export interface RuleFragment {
  readonly privileges: readonly {
    readonly name: string;
    readonly path: string;
    readonly queryParameters?: Readonly<Record<string, string>>;
  }[];
  readonly roles: readonly { readonly name: string; readonly privileges: readonly string[] }[];
  readonly identities: readonly IdentityFragment[];
  readonly roleAssignments: readonly {
    readonly role: string;
    readonly identities: readonly string[];
  }[];
}

export interface IdentityFragment {
  readonly name: string;
  readonly userName?: string;
  readonly groupName?: string;
  readonly exePath?: string;
  readonly processName?: string;
}

/** What would allow a refused request. */
export type Remedy =
  | { readonly kind: "rule"; readonly fragment: RuleFragment }
  /** No rule can. */
  | { readonly kind: "none"; readonly why: string };

/** Most constraints that a suggested privilege has. */
const MAX_CONSTRAINTS = 16;

/**
 * The smallest grant that allows a refused request: its path, each parameter that can be held to its value, and everything
 * that is known of the caller. INVARIANT: a suggested rule was evaluated and allows the request; as grants add up, it does so
 * in the company of any other rules.
 */
export function remedyFor(
  endpoint: EndpointName,
  question: Question,
  policy: EndpointPolicy,
  matching: Matching,
  refusal: Refusal,
): Remedy {
  if (refusal.reason === "not-elevated") {
    return none(`rules can only narrow ${endpoint}; only root may use it`);
  }
  if (policy.kind !== "rules") return none("the endpoint is closed until its rules can be read");
  const identity = identityOf(question.claims, policy.rules);
  if (identity === null) return none("nothing is known of the caller that a rule could name");
  const name = freeName("granted-request", policy.rules.index.canonicalPrivileges);
  for (const path of pathsFor(question)) {
    const allows = (parameters: ReadonlyMap<string, string>) =>
      isAllowed({ name, path, parameters, identity }, question, policy.rules, matching);
    if (!allows(new Map())) continue;
    const parameters = new Map<string, string>();
    for (const [key, values] of new LegacyRequest(question).values()) {
      if (parameters.size === MAX_CONSTRAINTS) break;
      if (allows(new Map([[key, values[0]!]]))) parameters.set(key, values[0]!);
    }
    return { kind: "rule", fragment: fragmentOf({ name, path, parameters, identity }) };
  }
  const canonical = canonicalize({ method: question.method, target: question.target });
  return none(
    canonical.ok
      ? "no rule path matches this target in both matchers; the request has to be spelt plainly"
      : `the target has no canonical form (${
        CANON_MEANINGS[canonical.error]
      }), and no rule can give it one`,
  );
}

interface Grant {
  readonly name: string;
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly identity: IdentityFragment;
}

/** The path as the legacy matcher compares it, then as it is rendered: the longest that can match. */
function pathsFor(question: Question): readonly string[] {
  const paths = [new LegacyRequest(question).path];
  const canonical = canonicalize({ method: question.method, target: question.target });
  if (canonical.ok) paths.push(renderTarget({ ...canonical.value, query: NO_QUERY }));
  return paths;
}

const NO_QUERY: ReadonlyMap<string, readonly string[]> = Object.freeze(
  new Map<string, readonly string[]>([]),
);

function isAllowed(
  grant: Grant,
  question: Question,
  rules: CompiledItem,
  matching: Matching,
): boolean {
  const { identity } = grant;
  const item: AuthorizationItem = {
    defaultAccess: "deny",
    mode: "enforce",
    id: rules.id,
    rules: {
      privileges: [{ name: grant.name, path: grant.path, queryParameters: grant.parameters }],
      roles: [{ name: grant.name, privileges: [grant.name] }],
      identities: [{
        name: identity.name,
        userName: identity.userName ?? null,
        groupName: identity.groupName ?? null,
        exePath: identity.exePath ?? null,
        processName: identity.processName ?? null,
      }],
      roleAssignments: [{ role: grant.name, identities: [identity.name] }],
    },
    source: new Map([]),
  };
  const { compiled, findings } = compileItem(item, { flavour: rules.index.flavour });
  return !findings.some(({ severity }) => severity === "error") &&
    evaluate(compiled, question, matching).allowed;
}

function fragmentOf({ name, path, parameters, identity }: Grant): RuleFragment {
  return {
    privileges: [{
      name,
      path,
      ...(parameters.size === 0 ? {} : { queryParameters: Object.fromEntries(parameters) }),
    }],
    roles: [{ name, privileges: [name] }],
    identities: [identity],
    roleAssignments: [{ role: name, identities: [identity.name] }],
  };
}

/** User and executable, as far as they are known; a group only when nothing else is. */
function identityOf(claims: CallerClaims, rules: CompiledItem): IdentityFragment | null {
  const { userName, processFullPath, processName, userGroups } = claims;
  const process = processFullPath !== null
    ? { exePath: processFullPath }
    : processName !== null
    ? { processName }
    : {};
  const name = freeName("granted-caller", rules.identities);
  if (userName !== null) return { name, userName, ...process };
  if (processFullPath !== null || processName !== null) return { name, ...process };
  const group = userGroups[0];
  return group === undefined ? null : { name, groupName: group };
}

/** A name that the rules do not use yet. */
function freeName(base: string, used: ReadonlyMap<string, unknown>): string {
  let name = base;
  for (let count = 2; used.has(name); count++) name = `${base}-${count}`;
  return name;
}

function none(why: string): Remedy {
  return { kind: "none", why };
}
