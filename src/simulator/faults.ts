import type { EndpointName } from "../domain/wire/endpoints.ts";
import { err, ok, type Result } from "../runtime/result.ts";

/**
 * What goes wrong on purpose. `slow`: the answer comes after `ms`. `status`: that status, no body, and nothing done of what was asked. `reset`: the
 * connection is reset instead of an answer. `close`: it is closed instead of an answer. `garbage`: bytes that are not
 * HTTP. `garbage-body`: a proper head, a body that is no document. `half-body`: the head announces the whole body, half
 * of it comes. `huge-body`: a body of `bytes` blanks. `content-type`: the answer's own body under another content type.
 * `hang`: no answer, the connection stays. `stale`: a normal answer, then the connection is closed unannounced.
 */
export type FaultKind =
  | "slow"
  | "status"
  | "reset"
  | "close"
  | "garbage"
  | "garbage-body"
  | "half-body"
  | "huge-body"
  | "content-type"
  | "hang"
  | "stale";

/** One fault, and which requests it hits. */
export interface Fault {
  readonly kind: FaultKind;
  /** `null`: every endpoint. */
  readonly endpoint: EndpointName | null;
  /** Prefix of the request target; `""` hits every request. */
  readonly path: string;
  /** `null`: every method. */
  readonly method: string | null;
  /** Milliseconds of delay, for `slow`. */
  readonly ms: number;
  /** For `status`. */
  readonly status: number;
  /** Size of the body, for `huge-body`. */
  readonly bytes: number;
  /** For `content-type`. */
  readonly contentType: string;
  /** Requests still to be hit; `null`: without end. */
  readonly count: number | null;
}

const KINDS: readonly FaultKind[] = [
  "slow",
  "status",
  "reset",
  "close",
  "garbage",
  "garbage-body",
  "half-body",
  "huge-body",
  "content-type",
  "hang",
  "stale",
];
const ENDPOINTS: readonly EndpointName[] = ["wireserver", "hostga", "imds"];
const MEMBERS = [
  ...["kind", "endpoint", "path", "method", "ms", "status", "bytes", "contentType", "count"],
];
const MAX_FAULTS = 64;
const MAX_DELAY_MS = 600_000;
const MAX_BODY_BYTES = 67_108_864;

/** The faults that are armed, in order; the first that fits a request hits it. */
export class FaultList {
  #faults: Fault[] = [];
  #hits = 0;

  /** Replaces all faults. */
  set(faults: readonly Fault[]): void {
    this.#faults = [...faults];
  }

  get list(): readonly Fault[] {
    return this.#faults;
  }

  /** Requests hit since the start. */
  get hits(): number {
    return this.#hits;
  }

  /** The fault that hits this request, counted down; `null` when none fits. */
  take(endpoint: EndpointName, method: string, target: string): Fault | null {
    if (this.#faults.length === 0) return null;
    const index = this.#faults.findIndex((fault) =>
      (fault.endpoint === null || fault.endpoint === endpoint) &&
      (fault.method === null || fault.method === method) && target.startsWith(fault.path)
    );
    const fault = this.#faults[index];
    if (fault === undefined) return null;
    this.#hits++;
    if (fault.count === 1) this.#faults.splice(index, 1);
    else if (fault.count !== null) this.#faults[index] = { ...fault, count: fault.count - 1 };
    return fault;
  }
}

/** Takes faults from a decoded JSON document, a list or `{"faults": list}`. The error says what is wrong, for people. */
export function parseFaults(document: unknown): Result<Fault[], string> {
  const list = Array.isArray(document)
    ? document
    : (document as { faults?: unknown } | null)?.faults;
  if (!Array.isArray(list)) return err("faults must be a list");
  if (list.length > MAX_FAULTS) return err(`at most ${MAX_FAULTS} faults`);
  const faults: Fault[] = [];
  for (const [index, item] of list.entries()) {
    const fault = parseFault(item);
    if (!fault.ok) return err(`fault ${index}: ${fault.error}`);
    faults.push(fault.value);
  }
  return ok(faults);
}

function parseFault(item: unknown): Result<Fault, string> {
  if (typeof item !== "object" || item === null) return err("must be an object");
  const given = item as Record<string, unknown>;
  const unknown = Object.keys(given).find((name) => !MEMBERS.includes(name));
  if (unknown !== undefined) return err(`unknown member \`${unknown}\``);
  const kind = KINDS.find((known) => known === given["kind"]);
  if (kind === undefined) return err(`\`kind\` must be one of ${KINDS.join(", ")}`);
  const endpoint = given["endpoint"] ?? null;
  if (endpoint !== null && !ENDPOINTS.includes(endpoint as EndpointName)) {
    return err(`\`endpoint\` must be one of ${ENDPOINTS.join(", ")}, or absent`);
  }
  const path = given["path"] ?? "";
  if (typeof path !== "string") return err("`path` must be a string");
  const method = given["method"] ?? null;
  if (method !== null && typeof method !== "string") return err("`method` must be a string");
  const ms = given["ms"] ?? 0;
  if (!isWhole(ms, kind === "slow" ? 1 : 0, MAX_DELAY_MS)) {
    return err(`\`ms\` must be a whole number up to ${MAX_DELAY_MS}, at least 1 for slow`);
  }
  const status = given["status"] ?? (kind === "status" ? null : 200);
  if (!isWhole(status, 200, 599)) return err("`status` must be a number from 200 to 599");
  const bytes = given["bytes"] ?? 0;
  if (!isWhole(bytes, kind === "huge-body" ? 1 : 0, MAX_BODY_BYTES)) {
    return err(
      `\`bytes\` must be a whole number up to ${MAX_BODY_BYTES}, at least 1 for huge-body`,
    );
  }
  const contentType = given["contentType"] ?? (kind === "content-type" ? null : "");
  if (typeof contentType !== "string" || !/^[\x20-\x7e]*$/.test(contentType)) {
    return err("`contentType` must be a string of printable ASCII");
  }
  const count = given["count"] ?? null;
  if (count !== null && !isWhole(count, 1, Number.MAX_SAFE_INTEGER)) {
    return err("`count` must be a number from 1, or absent");
  }
  const hit = { endpoint: endpoint as EndpointName | null, path, method, count };
  return ok({ kind, ...hit, ms, status, bytes, contentType });
}

function isWhole(value: unknown, from: number, to: number): value is number {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to;
}
