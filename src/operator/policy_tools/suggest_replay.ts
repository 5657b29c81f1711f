import { canonicalize } from "../../domain/canonical/mod.ts";
import {
  type CallerClaims,
  type CompiledItem,
  compileItem,
  evaluate,
  questionOf,
} from "../../domain/policy/mod.ts";
import { itemReader, parseStrictJson } from "../../domain/wire/mod.ts";
import type { AuditedRequest, AuditLine } from "./audit_line.ts";
import { neighboursOf } from "./neighbours.ts";
import { type ItemName, itemNameOf, observedPath, skipReason } from "./observations.ts";
import { callerOfIdentity, nearMisses, type ProbeCaller, STRANGER } from "./probe_callers.ts";
import type { Suggestion } from "./suggest.ts";
import { grantCovers, type SuggestedGrant } from "./suggested_grant.ts";

/** A request that the suggested rules do not treat as they should. */
export interface ReplayMiss {
  readonly item: ItemName;
  readonly method: string;
  readonly target: string;
  readonly claims: CallerClaims;
}

/** How suggested rules fare against the log that they were made of, and against what lies round it. */
export interface ReplayReport {
  /** Requests of the log that were asked about, and those that are allowed. */
  readonly replayed: number;
  readonly allowed: number;
  /** Those that are not, and for which the suggestion says that there is no narrow rule. */
  readonly ungranted: number;
  /** The first of the others that are not allowed. */
  readonly refused: readonly ReplayMiss[];
  /** Requests round those of the log that no grant is about, and those that are refused in `enforce`. */
  readonly neighbours: number;
  readonly neighboursRefused: number;
  /** The first of those that are not refused. */
  readonly wrong: readonly ReplayMiss[];
  /** Neighbours that are refused in `enforce` alone: the legacy matcher compares the beginnings of paths. */
  readonly openInShadow: number;
  /** Requests that are about something else than was seen, but that the rule language cannot tell apart: below a path. */
  readonly inherent: number;
}

const MOST_MISSES = 20;
/** Most neighbours that are tried. */
export const MOST_NEIGHBOURS = 200_000;

/** Shows that suggested rules allow all of a log, and nothing outside it. */
export class SuggestReplay {
  readonly #items: ReadonlyMap<ItemName, CompiledItem>;
  readonly #withDenied: boolean;
  readonly #grants: ReadonlyMap<string, readonly SuggestedGrant[]>;
  readonly #suggestion: Suggestion;
  readonly #refused: ReplayMiss[] = [];
  readonly #ungranted: ReadonlySet<string>;
  #replayed = 0;
  #allowed = 0;
  #known = 0;

  constructor(suggestion: Suggestion, withDenied: boolean) {
    this.#suggestion = suggestion;
    this.#withDenied = withDenied;
    this.#items = compiledItems(suggestion);
    this.#grants = grantsByCaller(suggestion.grants);
    this.#ungranted = new Set(
      suggestion.ungranted.map(({ item, caller, path }) =>
        pathKey(item, caller.userName, caller.exePath, path)
      ),
    );
  }

  /** Asks about a request of the log. */
  add(line: AuditLine): void {
    if (line.kind !== "request" || !this.#isMeant(line)) return;
    this.#replayed++;
    const { endpoint, method, target, claims } = line;
    const item = itemNameOf(endpoint);
    if (this.#asks(item, method, target, claims, "enforce")) {
      this.#allowed++;
      return;
    }
    const path = observedPath(target);
    const { userName, processFullPath } = claims;
    if (this.#ungranted.has(pathKey(item, userName, processFullPath, path))) this.#known++;
    else if (this.#refused.length < MOST_MISSES) {
      this.#refused.push({ item, method, target, claims });
    }
  }

  /** Asks about everything round the grants. */
  finish(): ReplayReport {
    let neighbours = 0;
    let neighboursRefused = 0;
    let openInShadow = 0;
    let inherent = 0;
    const wrong: ReplayMiss[] = [];
    for (const { item, target, caller, isBelow } of this.#neighbours()) {
      if (this.#isGranted(item, target, caller.claims)) {
        if (isBelow) inherent++;
        continue;
      }
      neighbours++;
      if (this.#asks(item, "GET", target, caller.claims, "enforce")) {
        const { claims } = caller;
        if (wrong.length < MOST_MISSES) wrong.push({ item, method: "GET", target, claims });
        continue;
      }
      neighboursRefused++;
      if (this.#asks(item, "GET", target, caller.claims, "shadow")) openInShadow++;
    }
    return {
      replayed: this.#replayed,
      allowed: this.#allowed,
      ungranted: this.#known,
      refused: this.#refused,
      neighbours,
      neighboursRefused,
      wrong,
      openInShadow,
      inherent,
    };
  }

  /** Whether the request is one that rules were suggested for. */
  #isMeant(line: AuditedRequest): boolean {
    return skipReason(line, this.#withDenied) === null &&
      canonicalize({ method: line.method, target: line.target }).ok;
  }

  #asks(
    item: ItemName,
    method: string,
    target: string,
    claims: CallerClaims,
    matching: "enforce" | "shadow",
  ): boolean {
    const compiled = this.#items.get(item);
    return compiled !== undefined &&
      evaluate(compiled, questionOf(method, target, claims), matching).allowed;
  }

  /** Whether a grant is about the request: by the list of grants alone, without asking the engine. */
  #isGranted(item: ItemName, target: string, claims: CallerClaims): boolean {
    const request = canonicalize({ method: "GET", target });
    if (!request.ok) return false;
    const { segments, query } = request.value;
    const parameters = new Map<string, string>();
    for (const [key, values] of query) {
      if (values.length === 1) parameters.set(key, values[0]!);
    }
    const { userName, processFullPath } = claims;
    return [
      callerKey(item, userName, processFullPath),
      callerKey(item, userName, null),
      callerKey(item, null, processFullPath),
    ].some((key) =>
      (this.#grants.get(key) ?? []).some((grant) => grantCovers(grant, { segments, parameters }))
    );
  }

  *#neighbours(): Generator<
    {
      readonly item: ItemName;
      readonly target: string;
      readonly caller: ProbeCaller;
      readonly isBelow: boolean;
    },
    void
  > {
    let count = 0;
    for (const { item, caller, identity, path, parameters } of this.#suggestion.grants) {
      const { userName, exePath } = caller;
      const selectors = { userName, exePath, groupName: null, processName: null };
      const holder = callerOfIdentity({ name: identity, ...selectors });
      for (const { name, target } of neighboursOf({ path, parameters })) {
        const isPlain = name === "plain";
        for (const each of isPlain ? [...nearMisses(holder), STRANGER] : [holder]) {
          if (count++ >= MOST_NEIGHBOURS) return;
          yield { item, target, caller: each, isBelow: name === "below" };
        }
      }
    }
  }
}

function compiledItems({ document }: Suggestion): ReadonlyMap<ItemName, CompiledItem> {
  const compiled = new Map<ItemName, CompiledItem>();
  const read = itemReader();
  for (const name of ["imds", "wireserver"] as const) {
    const item = document[name];
    if (item === undefined) continue;
    // By way of the text, as whoever uses the document will.
    const parsed = parseStrictJson(JSON.stringify({ ...item, mode: "enforce" }));
    if (!parsed.ok) throw new Error(`the suggested rules are not JSON: ${parsed.error.code}`);
    const accepted = read(parsed.value);
    if (!accepted.ok) throw new Error(`the suggested rules are refused: ${accepted.error.message}`);
    compiled.set(name, compileItem(accepted.value).compiled);
  }
  return compiled;
}

function grantsByCaller(
  grants: readonly SuggestedGrant[],
): ReadonlyMap<string, readonly SuggestedGrant[]> {
  const found = new Map<string, SuggestedGrant[]>();
  for (const grant of grants) {
    const key = callerKey(grant.item, grant.caller.userName, grant.caller.exePath);
    const some = found.get(key);
    if (some === undefined) found.set(key, [grant]);
    else some.push(grant);
  }
  return found;
}

function pathKey(
  item: ItemName,
  userName: string | null,
  exePath: string | null,
  path: string,
): string {
  return JSON.stringify([item, userName, exePath, path]);
}

function callerKey(item: ItemName, userName: string | null, exePath: string | null): string {
  return JSON.stringify([item, userName, exePath]);
}
