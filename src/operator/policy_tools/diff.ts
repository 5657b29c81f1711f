import { type CallerClaims, type EndpointPolicy, questionOf } from "../../domain/policy/mod.ts";
import type { EndpointName } from "../../domain/wire/mod.ts";
import type { AuditLine } from "./audit_line.ts";
import { judge, type Judgement } from "./judge.ts";
import { claimsKey } from "./probe_callers.ts";
import { probesOf } from "./probes.ts";
import { distinctEndpoints, type ToolPolicy } from "./tool_policy.ts";

/** What a policy says of a request. */
export interface Side {
  readonly verdict: Judgement["verdict"];
  readonly reason: Judgement["reason"];
  readonly privilege: string | null;
  readonly identity: string | null;
}

/** A request that the two policies treat differently. */
export interface Change {
  /** `widened`: the new policy forwards what the old one refused, or no longer records it as refused. */
  readonly direction: "widened" | "narrowed";
  readonly found: "generated" | "audit";
  readonly endpoint: EndpointName;
  readonly method: string;
  readonly target: string;
  readonly claims: CallerClaims;
  /** Who the caller is, for people; `null` for one of the audit log. */
  readonly caller: string | null;
  readonly before: Side;
  readonly after: Side;
  /** Requests of the audit log alike, or 1. */
  count: number;
}

/** Something about an endpoint as a whole that changed. */
export interface EndpointChange {
  readonly endpoint: EndpointName;
  readonly what: "kind" | "mode" | "default access" | "rule set";
  readonly before: string;
  readonly after: string;
}

/** The outcome of a comparison. */
export interface DiffReport {
  readonly endpoints: readonly EndpointChange[];
  /** The first `MAX_CHANGES` of each direction, those of the audit log first. */
  readonly changes: readonly Change[];
  readonly widened: number;
  readonly narrowed: number;
  /** Requests that were made up, and requests of the audit log that were asked about. */
  readonly generated: number;
  readonly replayed: number;
  /** Requests of the audit log that were not written one by one, or not whole. */
  readonly notReplayed: number;
  /** Endpoints with more rules than requests were made up for. */
  readonly cutEndpoints: readonly EndpointName[];
}

/** Most changes of one direction that are kept. More are counted. */
export const MAX_CHANGES = 1_000;

const RANK = Object.freeze({ deny: 0, flag: 1, allow: 2 });

/** Compares two policies: by requests made up from the rules of both, and by those of an audit log that are handed to it. */
export class PolicyDiff {
  readonly #before: ToolPolicy;
  readonly #after: ToolPolicy;
  readonly #kept = new Map<string, Change>();
  readonly #counts = { widened: 0, narrowed: 0 };
  readonly #keptCounts = { widened: 0, narrowed: 0 };
  #replayed = 0;
  #notReplayed = 0;

  constructor(before: ToolPolicy, after: ToolPolicy) {
    this.#before = before;
    this.#after = after;
  }

  /** Asks both policies about a request of an audit log. */
  replay(line: AuditLine): void {
    if (line.kind === "repeated") this.#notReplayed += line.count;
    if (line.kind !== "request") return;
    if (line.damage !== null) {
      this.#notReplayed++;
      return;
    }
    this.#replayed++;
    const { endpoint, method, target, claims } = line;
    this.#compare("audit", endpoint, method, target, claims, null);
  }

  /** Asks both about everything that can be made up from their rules. */
  finish(): DiffReport {
    const policies = [this.#before, this.#after];
    const cutEndpoints: EndpointName[] = [];
    let generated = 0;
    for (const endpoint of distinctEndpoints(policies)) {
      const probes = probesOf(policies.map(({ endpoints }) => endpoints[endpoint]));
      /** Plain requests that changed: what lies below them changes with them, and says nothing new. */
      const plain = new Map<string, string>();
      for (;;) {
        const step = probes.next();
        if (step.done === true) {
          if (step.value.isCut) cutEndpoints.push(endpoint);
          break;
        }
        generated++;
        const { target, caller, mutation } = step.value;
        const key = claimsKey(caller.claims);
        const implied = mutation === "below" ? plain.get(key) : undefined;
        const transition = this.#compare(
          "generated",
          endpoint,
          "GET",
          target,
          caller.claims,
          caller.label,
          implied,
        );
        if (mutation === "plain") plain.set(key, transition);
      }
    }
    return {
      endpoints: this.#endpointChanges(),
      changes: [...this.#kept.values()],
      ...this.#counts,
      generated,
      replayed: this.#replayed,
      notReplayed: this.#notReplayed,
      cutEndpoints,
    };
  }

  /** Returns the change in words; `""` for none. A change that is `implied` by another one is not noted. */
  #compare(
    found: Change["found"],
    endpoint: EndpointName,
    method: string,
    target: string,
    claims: CallerClaims,
    caller: string | null,
    implied?: string,
  ): string {
    const question = questionOf(method, target, claims);
    const side = ({ endpoints, matching }: ToolPolicy) =>
      sideOf(judge(endpoint, question, endpoints[endpoint], matching));
    const before = side(this.#before);
    const after = side(this.#after);
    if (before.verdict === after.verdict) return "";
    const transition = `${before.verdict} ${after.verdict}`;
    if (transition === implied) return transition;
    const key = JSON.stringify([endpoint, method, target, claimsKey(claims)]);
    const known = this.#kept.get(key);
    if (known !== undefined) {
      if (found === "audit") known.count++;
      return transition;
    }
    const direction = RANK[after.verdict] > RANK[before.verdict] ? "widened" : "narrowed";
    this.#counts[direction]++;
    if (this.#keptCounts[direction] >= MAX_CHANGES) return transition;
    this.#keptCounts[direction]++;
    this.#kept.set(key, {
      direction,
      found,
      endpoint,
      method,
      target,
      claims,
      caller,
      before,
      after,
      count: 1,
    });
    return transition;
  }

  #endpointChanges(): readonly EndpointChange[] {
    const changes: EndpointChange[] = [];
    for (const endpoint of distinctEndpoints([this.#before, this.#after])) {
      const before = factsOf(this.#before.endpoints[endpoint]);
      const after = factsOf(this.#after.endpoints[endpoint]);
      for (const [what, was] of before) {
        const is = after.get(what)!;
        if (was !== is) changes.push({ endpoint, what, before: was, after: is });
      }
    }
    return changes;
  }
}

function sideOf({ verdict, reason, rules }: Judgement): Side {
  return {
    verdict,
    reason,
    privilege: rules?.privilege ?? null,
    identity: rules?.identity ?? null,
  };
}

function factsOf(policy: EndpointPolicy): ReadonlyMap<EndpointChange["what"], string> {
  const rules = policy.kind === "rules" ? policy.rules : null;
  const access = rules === null ? "built-in" : rules.defaultAllowed ? "allow" : "deny";
  return new Map([
    ["kind", policy.kind],
    ["mode", policy.mode],
    ["default access", policy.kind === "closed" ? "deny" : access],
    ["rule set", rules?.id ?? ""],
  ]);
}
