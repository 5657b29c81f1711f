import { createHash } from "node:crypto";
import { err, ok, type Result } from "../../runtime/result.ts";
import { canonicalJsonPieces } from "../wire/canonical_json.ts";
import { endpointModes } from "../wire/channel_state.ts";
import type { EndpointName } from "../wire/endpoints.ts";
import type { AuthorizationItem, KeyStatus, Mode } from "../wire/key_status.ts";
import type { JsonValue } from "../wire/strict_json.ts";
import { type CompiledItem, type CompileFinding, compileSteps } from "./compile.ts";
import { type EffectiveItem, hostRules } from "./local_state.ts";
import type { Matching } from "./question.ts";
import { selfTest, type SelfTestFailure, type SelfTestReport } from "./self_test_run.ts";
import type { EndpointPolicy, PolicySnapshot } from "./snapshot.ts";

/** A policy that is not installed yet: a snapshot without its epoch. */
export type PolicyContent = Omit<PolicySnapshot, "epoch">;

/** The rules that count, by endpoint; `null` where the host sent none. */
export type EffectiveRules = Readonly<Record<EndpointName, EffectiveItem | null>>;

/** What a policy is made of. */
export interface PolicySources {
  readonly status: KeyStatus;
  readonly rules: EffectiveRules;
  readonly matching: Matching;
  /** How compiled rules are tried before they count; `selfTest` unless a test of this says otherwise. */
  readonly proof?: Proof;
}

/** Tries compiled rules on requests. */
export type Proof = (item: CompiledItem) => Generator<void, SelfTestReport>;

/** Something about the rules of an endpoint that its author should know. */
export interface PolicyFinding extends CompileFinding {
  readonly endpoint: EndpointName;
}

/** A policy, and what is odd about it. */
export interface BuiltPolicy {
  readonly content: PolicyContent;
  readonly warnings: readonly PolicyFinding[];
}

/** Why the host's rules are not taken. */
export interface PolicyRefusal {
  readonly endpoint: EndpointName;
  /** What was wrong, for people; the first of several. */
  readonly reason: string;
}

/** How the matchers count where the configuration does not say. Source: authorization 7.6. */
export const DEFAULT_MATCHING: Matching = "shadow";

/**
 * The policy that a status document and the local rules ask for, in steps of well under a millisecond. Rules of the host
 * with an error are refused as a whole; an error that only a local file brought closes its endpoint.
 * DEVIATION D-04: HostGAPlugin gets the policy of WireServer unless it has a local file of its own. DEVIATION D-05: the digest
 * covers the whole items, the modes and the matching, so that every change is noticed.
 * Source: authorization 1.6, 1.7 and 7.2, wire-protocol 3.4 to 3.6.
 */
export function* policySteps(
  sources: PolicySources,
): Generator<void, Result<BuiltPolicy, PolicyRefusal>> {
  const { status, rules, matching, proof = selfTest } = sources;
  const modes = endpointModes(status);
  const warnings: PolicyFinding[] = [];
  const endpoints = new Map<EndpointName, EndpointPolicy>();
  for (const endpoint of ["wireserver", "imds", "hostga"] as const) {
    if (endpoint === "hostga" && rules.hostga === rules.wireserver) {
      endpoints.set(endpoint, endpoints.get("wireserver")!);
      continue;
    }
    const built = yield* endpointSteps(endpoint, modes[endpoint], rules[endpoint], proof);
    if (!built.ok) return built;
    endpoints.set(endpoint, built.value.policy);
    warnings.push(...built.value.warnings);
  }
  const digest = yield* digestSteps(
    new Map<string, JsonValue>([
      ["matching", matching],
      ["modes", new Map(Object.entries(modes))],
      ...Object.entries(rules).map(([endpoint, effective]) =>
        [endpoint, documentOf(effective)] as const
      ),
    ]),
  );
  const content: PolicyContent = Object.freeze({
    digest,
    matching,
    endpoints: Object.freeze({
      wireserver: endpoints.get("wireserver")!,
      imds: endpoints.get("imds")!,
      hostga: endpoints.get("hostga")!,
    }),
  });
  return ok({ content, warnings });
}

/** The policy of a status document alone, at once: without local rules. */
export function buildPolicy(
  status: KeyStatus,
  matching: Matching = DEFAULT_MATCHING,
): Result<BuiltPolicy, PolicyRefusal> {
  return drain(policySteps({ status, rules: hostRules(status.authorizationRules), matching }));
}

/** The policy before the host was heard: the built-in defaults, enforced. Source: authorization W-08. */
export function initialPolicy(matching: Matching = DEFAULT_MATCHING): PolicyContent {
  const policy: EndpointPolicy = Object.freeze({ kind: "built-in", mode: "enforce" });
  return Object.freeze({
    digest: drain(digestSteps(new Map([["initial", matching]]))),
    matching,
    endpoints: Object.freeze({ wireserver: policy, imds: policy, hostga: policy }),
  });
}

/** The snapshot to publish for a content under its epoch. */
export function policySnapshot(content: PolicyContent, epoch: number): PolicySnapshot {
  const { digest, matching, endpoints } = content;
  return Object.freeze({ epoch, digest, matching, endpoints });
}

interface BuiltEndpoint {
  readonly policy: EndpointPolicy;
  readonly warnings: readonly PolicyFinding[];
}

function* endpointSteps(
  endpoint: EndpointName,
  channelMode: Mode,
  effective: EffectiveItem | null,
  proof: Proof,
): Generator<void, Result<BuiltEndpoint, PolicyRefusal>> {
  if (effective === null) return ok(endpointPolicy({ kind: "built-in", mode: channelMode }));
  const mode = channelMode === "disabled"
    ? channelMode
    : stricter(channelMode, effective.item.mode);
  if (effective.closedBecause !== null) {
    return ok(endpointPolicy({ kind: "closed", mode, reason: effective.closedBecause }));
  }
  const compiled = yield* compiledSteps(endpoint, { ...effective.item, mode }, proof);
  if (compiled.ok || effective.origin === "host") return compiled;
  // Whose mistake is it? Without the local file the host's rules must do.
  const alone = yield* compiledSteps(endpoint, { ...effective.remote, mode }, proof);
  if (!alone.ok) return alone;
  const reason = `the local rule file cannot be used: ${compiled.error.reason}`;
  return ok(endpointPolicy({ kind: "closed", mode, reason }));
}

function* compiledSteps(
  endpoint: EndpointName,
  item: AuthorizationItem,
  proof: Proof,
): Generator<void, Result<BuiltEndpoint, PolicyRefusal>> {
  const { compiled, findings } = yield* compileSteps(item, { at: `$.${endpoint}` });
  const error = findings.find(({ severity }) => severity === "error");
  if (error !== undefined) {
    return err({ endpoint, reason: `${error.path} ${error.message}` });
  }
  const report = yield* proof(compiled);
  const [failure] = report.failures;
  if (failure !== undefined) {
    const reason = `$.${endpoint}.rules: ${failureText(failure)}`;
    return err({ endpoint, reason: `${reason}; ${report.failureCount} failures in all` });
  }
  const warnings = findings.map((finding) => ({ ...finding, endpoint }));
  return ok(endpointPolicy({ kind: "rules", mode: item.mode, rules: compiled }, warnings));
}

/** Rule, mutation and smallest request. */
function failureText(failure: SelfTestFailure): string {
  const { privilege, mutation, method, target, caller, expected, actual } = failure;
  return `self-test of privilege ${JSON.stringify(privilege)} fails with mutation ${mutation}: ` +
    `${method} ${target} of a ${caller} gets ${actual}, not ${expected}`;
}

function endpointPolicy(
  policy: EndpointPolicy,
  warnings: readonly PolicyFinding[] = [],
): BuiltEndpoint {
  return { policy: Object.freeze(policy), warnings };
}

/** What the digest sees of an endpoint's rules. */
function documentOf(effective: EffectiveItem | null): JsonValue {
  if (effective === null) return null;
  // The rules that come out of a merge hang on nothing but these.
  return new Map<string, JsonValue>([
    ["item", effective.remote.source],
    ["localFile", effective.localFile ?? null],
    ["closed", effective.closedBecause],
  ]);
}

function* digestSteps(value: JsonValue): Generator<void, string> {
  const hash = createHash("sha256");
  for (const piece of canonicalJsonPieces(value)) {
    hash.update(piece);
    yield;
  }
  return hash.digest("hex");
}

/** DEVIATION D-17: a document of version 1.0 may carry items whose mode differs from the channel's: the stricter one counts. */
function stricter(left: Mode, right: Mode): Mode {
  return left === "enforce" || right === "enforce" ? "enforce" : left;
}

function drain<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
