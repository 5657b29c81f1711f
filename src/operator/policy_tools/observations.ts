import {
  canonicalize,
  isSignatureExempt,
  percentDecodeLossy,
  splitTarget,
  unicodeLower,
} from "../../domain/canonical/mod.ts";
import type { CallerClaims } from "../../domain/policy/mod.ts";
import type { EndpointName } from "../../domain/wire/mod.ts";
import type { AuditedRepetition, AuditedRequest, AuditLine } from "./audit_line.ts";

/** The item of a rule document that an endpoint's rules stand in. HostGAPlugin has none of its own. */
export type ItemName = "wireserver" | "imds";

export function itemNameOf(endpoint: EndpointName): ItemName {
  return endpoint === "imds" ? "imds" : "wireserver";
}

/** Who made requests, as far as a rule can tell. At least one of the two is known. */
export interface ObservedCaller {
  readonly userName: string | null;
  readonly exePath: string | null;
}

/** Requests alike: same caller, same path, same parameters. */
export interface Variant {
  /** Parameters that a rule may hold to their value. */
  readonly parameters: ReadonlyMap<string, string>;
  /** One of them, as it was written, by whom. */
  readonly sample: {
    readonly method: string;
    readonly target: string;
    readonly claims: CallerClaims;
  };
  readonly endpoint: EndpointName;
  readonly methods: Set<string>;
  count: number;
  /** Those of them that were only flagged. */
  flagged: number;
  firstUse: string;
  lastUse: string;
  /** The latest ids: summaries name the first request that they stand for. */
  readonly ids: number[];
}

/** All requests of one caller to one path. */
export interface ObservedPath {
  readonly item: ItemName;
  readonly caller: ObservedCaller;
  /** Decoded and in lower case: how both matchers see it. */
  readonly path: string;
  readonly variants: Map<string, Variant>;
  /** Parameters that are left open: too many values, repeated, or not written. */
  readonly open: Set<string>;
  /** Requests that are known by their path alone. */
  repeated: number;
}

/** Requests that lead to no rule, by reason. */
export interface Skipped {
  /** Refused when they were made. */
  denied: number;
  /** Uploads of diagnostics by root need no rule. */
  exempt: number;
  /** WireServer and HostGAPlugin want an elevated caller, whatever the rules say. */
  notElevated: number;
  /** Neither user nor executable is known. */
  unknownCaller: number;
  /** Not written whole. */
  damaged: number;
  /** Without canonical form. */
  notCanonical: number;
  /** Counted in a summary whose first request is not in these files. */
  unknownQuery: number;
  /** More kinds of requests than are kept. */
  overflow: number;
}

/** Most kinds of requests that are kept. */
export const MOST_VARIANTS = 20_000;
/** Most kinds of one caller at one path; then the parameter with the most values is left open. */
export const MOST_VARIANTS_OF_A_PATH = 32;
const MOST_IDS = 64;
const REDACTED = "[redacted]";

/** Why a request is not the subject of a suggested rule; `null` when it is. */
export function skipReason(
  { decision, method, target, endpoint, claims, damage }: AuditedRequest,
  withDenied: boolean,
): keyof Skipped | null {
  if (!withDenied && decision !== null && decision !== "allow" && decision !== "flag") {
    return "denied";
  }
  if (endpoint !== "imds" && !claims.elevated) return "notElevated";
  if (isSignatureExempt(method, target, endpoint)) return "exempt";
  if (claims.userName === null && claims.processFullPath === null) return "unknownCaller";
  return damage === "cut" || splitTarget(target).path.toLowerCase().includes(REDACTED)
    ? "damaged"
    : null;
}

/** Collects what an audit log has seen, each kind of request once. Bounded, whatever the length of the log. */
export class Observations {
  readonly skipped: Skipped = {
    denied: 0,
    exempt: 0,
    notElevated: 0,
    unknownCaller: 0,
    damaged: 0,
    notCanonical: 0,
    unknownQuery: 0,
    overflow: 0,
  };
  readonly #paths = new Map<string, ObservedPath>();
  readonly #withDenied: boolean;
  readonly #most: number;
  #variants = 0;
  #requests = 0;

  constructor(withDenied: boolean, most: number = MOST_VARIANTS) {
    this.#withDenied = withDenied;
    this.#most = most;
  }

  /** Requests that were looked at, also those of summaries. */
  get requests(): number {
    return this.#requests;
  }

  get paths(): Iterable<ObservedPath> {
    return this.#paths.values();
  }

  add(line: AuditLine): void {
    if (line.kind === "request") this.#addRequest(line);
    else if (line.kind === "repeated") this.#addRepetition(line);
  }

  #addRequest(line: AuditedRequest): void {
    this.#requests++;
    const skip = skipReason(line, this.#withDenied);
    if (skip !== null) {
      this.skipped[skip]++;
      return;
    }
    const request = canonicalize({ method: line.method, target: line.target });
    if (!request.ok) {
      this.skipped.notCanonical++;
      return;
    }
    const observed = this.#pathOf(line.endpoint, line.claims, splitTarget(line.target).path);
    if (observed === null) {
      this.skipped.overflow++;
      return;
    }
    const parameters = new Map<string, string>();
    for (const [key, values] of request.value.query) {
      if (values.length !== 1 || values[0]!.includes(REDACTED)) this.#leaveOpen(observed, key);
      else if (!observed.open.has(key)) parameters.set(key, values[0]!);
    }
    this.#addVariant(observed, parameters, line);
  }

  #addVariant(
    observed: ObservedPath,
    parameters: ReadonlyMap<string, string>,
    { endpoint, method, target, claims, decision, ts, id }: AuditedRequest,
  ): void {
    const key = keyOf(parameters);
    let variant = observed.variants.get(key);
    if (variant === undefined) {
      if (this.#variants >= this.#most) {
        this.skipped.overflow++;
        return;
      }
      this.#variants++;
      variant = {
        parameters,
        sample: { method, target, claims },
        endpoint,
        methods: new Set(),
        count: 0,
        flagged: 0,
        firstUse: ts,
        lastUse: ts,
        ids: [],
      };
      observed.variants.set(key, variant);
    }
    variant.methods.add(method);
    variant.count++;
    if (decision === "flag") variant.flagged++;
    if (ts < variant.firstUse) variant.firstUse = ts;
    if (ts > variant.lastUse) variant.lastUse = ts;
    if (id !== null) {
      variant.ids.push(id);
      if (variant.ids.length > MOST_IDS) variant.ids.shift();
    }
    while (observed.variants.size > MOST_VARIANTS_OF_A_PATH) {
      this.#leaveOpen(observed, mostValues(observed));
    }
  }

  #addRepetition(line: AuditedRepetition): void {
    this.#requests += line.count;
    const { decision, endpoint, claims, count, path, method, ts, firstId } = line;
    const skip = skipReason(
      {
        ...line,
        kind: "request",
        target: path,
        id: firstId,
        reason: null,
        mode: null,
        policyEpoch: null,
        ruleSetId: null,
        damage: null,
      },
      this.#withDenied,
    );
    if (skip !== null) {
      this.skipped[skip] += count;
      return;
    }
    const observed = this.#paths.get(pathKey(endpoint, claims, decoded(path)));
    if (observed === undefined) {
      this.skipped.unknownQuery += count;
      return;
    }
    observed.repeated += count;
    const variants = [...observed.variants.values()];
    const variant = variants.length === 1
      ? variants[0]
      : variants.find(({ ids }) => firstId !== null && ids.includes(firstId));
    if (variant === undefined) {
      this.skipped.unknownQuery += count;
      return;
    }
    variant.methods.add(method);
    variant.count += count;
    if (decision === "flag") variant.flagged += count;
    if (ts > variant.lastUse) variant.lastUse = ts;
  }

  #pathOf(endpoint: EndpointName, claims: CallerClaims, rawPath: string): ObservedPath | null {
    const path = decoded(rawPath);
    const key = pathKey(endpoint, claims, path);
    const known = this.#paths.get(key);
    if (known !== undefined) return known;
    if (this.#variants >= this.#most) return null;
    const observed: ObservedPath = {
      item: itemNameOf(endpoint),
      caller: { userName: claims.userName, exePath: claims.processFullPath },
      path,
      variants: new Map(),
      open: new Set(),
      repeated: 0,
    };
    this.#paths.set(key, observed);
    return observed;
  }

  /** From now on, and for what was seen already, a parameter may have any value. */
  #leaveOpen(observed: ObservedPath, key: string): void {
    if (observed.open.has(key)) return;
    observed.open.add(key);
    const old = [...observed.variants.values()];
    observed.variants.clear();
    this.#variants -= old.length;
    for (const variant of old) {
      const parameters = new Map([...variant.parameters].filter(([name]) => name !== key));
      const variantKey = keyOf(parameters);
      const known = observed.variants.get(variantKey);
      if (known === undefined) {
        this.#variants++;
        observed.variants.set(variantKey, { ...variant, parameters });
        continue;
      }
      mergeCounts(known, variant);
    }
  }
}

/** Adds the uses of one variant to another one. */
export function mergeCounts(into: Variant, from: Variant): void {
  for (const method of from.methods) into.methods.add(method);
  into.count += from.count;
  into.flagged += from.flagged;
  if (from.firstUse < into.firstUse) into.firstUse = from.firstUse;
  if (from.lastUse > into.lastUse) into.lastUse = from.lastUse;
  into.ids.push(...from.ids);
  into.ids.splice(0, Math.max(0, into.ids.length - MOST_IDS));
}

/** The path of a target as it is observed: decoded and in lower case. */
export function observedPath(target: string): string {
  return decoded(splitTarget(target).path);
}

function decoded(path: string): string {
  return unicodeLower(percentDecodeLossy(path));
}

function pathKey(endpoint: EndpointName, claims: CallerClaims, path: string): string {
  return JSON.stringify([itemNameOf(endpoint), claims.userName, claims.processFullPath, path]);
}

function keyOf(parameters: ReadonlyMap<string, string>): string {
  return JSON.stringify([...parameters].sort());
}

/** The parameter with the most values, its absence among them; the first by name of several. */
function mostValues({ variants }: ObservedPath): string {
  const values = new Map<string, Set<string>>();
  const all = [...variants.values()];
  for (const { parameters } of all) {
    for (const [key, value] of parameters) {
      const known = values.get(key);
      if (known === undefined) values.set(key, new Set([value]));
      else known.add(value);
    }
  }
  const keys = [...values].map(([key, some]) => ({ key, size: some.size }));
  keys.sort((left, right) => right.size - left.size || (left.key < right.key ? -1 : 1));
  return keys[0]!.key;
}
