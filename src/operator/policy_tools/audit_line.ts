import type { CallerClaims } from "../../domain/policy/mod.ts";
import {
  destinationKind,
  ENDPOINT_NAMES,
  type EndpointName,
  ENDPOINTS,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseStrictJson,
} from "../../domain/wire/mod.ts";

/** One request of the audit log, as far as decisions can be asked about it again. */
export interface AuditedRequest {
  readonly kind: "request";
  readonly id: number | null;
  readonly method: string;
  readonly target: string;
  readonly endpoint: EndpointName;
  readonly claims: CallerClaims;
  readonly decision: string | null;
  readonly reason: string | null;
  readonly mode: string | null;
  readonly policyEpoch: number | null;
  readonly ruleSetId: string | null;
  /** As written; sorts as time does. */
  readonly ts: string;
  /** What of the request is not as it was; `null` when everything is. */
  readonly damage: "cut" | "redacted" | null;
}

/** Requests alike that were counted and not written. Their queries are not known. */
export interface AuditedRepetition {
  readonly kind: "repeated";
  readonly firstId: number | null;
  readonly method: string;
  readonly path: string;
  readonly endpoint: EndpointName;
  readonly claims: CallerClaims;
  readonly decision: string | null;
  readonly count: number;
  readonly ts: string;
}

/**
 * What a line of the audit log says. `other`: about the log itself, a request without a known caller or endpoint, or a line of
 * another program. `broken`: not a line of the log.
 */
export type AuditLine =
  | AuditedRequest
  | AuditedRepetition
  | { readonly kind: "other" }
  | { readonly kind: "broken"; readonly why: string };

/** A line of the log has at most about 20 KB. */
export const LONGEST_AUDIT_LINE_BYTES = 256 * 1024;

const OTHER: AuditLine = Object.freeze({ kind: "other" });
/** What the writer puts behind a text that it cut, and the lengths at which it cuts. */
const CUT_MARK = "...";
const CUT_TARGET = 2048;
const CUT_PATH = 4096;
const CUT_NAME = 128;
const REDACTED = "[REDACTED]";

/** Reads one line of the audit log: its header, which may be left out, and a JSON object. Source: authorization 6.2, 6.3. */
export function readAuditLine(line: string): AuditLine {
  const brace = line.indexOf("{");
  if (brace < 0) return line.trim() === "" ? OTHER : broken("the line holds no JSON object");
  const parsed = parseStrictJson(line.slice(brace).trimEnd());
  if (!parsed.ok) {
    return broken(`the record is not JSON: ${parsed.error.code} at offset ${parsed.error.offset}`);
  }
  const record = parsed.value;
  if (record === null || typeof record !== "object" || !isJsonObject(record)) {
    return broken("the record is no object");
  }
  if (record.has("notice")) return OTHER;
  const endpoint = endpointOf(record);
  const claims = claimsOf(record);
  const method = textOf(record, "method");
  if (endpoint === null || claims === null || method === null) return OTHER;
  const shared = {
    method,
    endpoint,
    claims,
    decision: textOf(record, "decision"),
    ts: textOf(record, "ts") ?? "",
  };
  if (record.get("summary") === "repeated") {
    const path = textOf(record, "path");
    const count = numberOf(record, "count");
    if (path === null || count === null) return broken("a summary without path or count");
    return { kind: "repeated", ...shared, path, count, firstId: numberOf(record, "firstId") };
  }
  const target = textOf(record, "url");
  if (target === null) return broken("the record has no `url`");
  return {
    kind: "request",
    ...shared,
    target,
    id: numberOf(record, "id"),
    reason: textOf(record, "reason"),
    mode: textOf(record, "mode"),
    policyEpoch: numberOf(record, "policyEpoch"),
    ruleSetId: textOf(record, "ruleSetId"),
    damage: target.includes(REDACTED) ? "redacted" : isCut(target, CUT_TARGET) ? "cut" : null,
  };
}

function broken(why: string): AuditLine {
  return { kind: "broken", why };
}

function endpointOf(record: JsonObject): EndpointName | null {
  const named = textOf(record, "endpoint");
  const known = ENDPOINT_NAMES.find((endpoint) => endpoint === named);
  if (known !== undefined) return known;
  const address = textOf(record, "ip");
  const port = numberOf(record, "port");
  if (address === null || port === null) return null;
  const kind = destinationKind({ address, port }, ENDPOINTS);
  return kind === "listener" || kind === "unknown" ? null : kind;
}

/**
 * The claims that rules saw. A record says `undefined` for a user without account; of an executable that was not proven, or
 * whose text was cut, nothing counts. `null`: there was no caller.
 */
function claimsOf(record: JsonObject): CallerClaims | null {
  const user = textOf(record, "userName");
  const elevated = record.get("runAsElevated");
  const path = textOf(record, "processFullPath");
  if (user === null || path === null || typeof elevated !== "boolean") return null;
  const isNobody = user === "empty" && path === "empty" && (record.get("uid") ?? null) === null;
  if (isNobody) return null;
  // Records of others say nothing of proof, and a path that could not be read is empty there.
  const isProven = (record.get("exeVerified") ?? true) === true && path !== "" &&
    !isCut(path, CUT_PATH);
  const processFullPath = isProven ? path : null;
  return {
    userName: user === "undefined" || isCut(user, CUT_NAME) ? null : user,
    userGroups: groupsOf(record.get("userGroups")),
    processName: processFullPath === null
      ? null
      : processFullPath.slice(processFullPath.lastIndexOf("/") + 1),
    processFullPath,
    elevated,
  };
}

function groupsOf(value: JsonValue | undefined): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((group): group is string => typeof group === "string");
}

/** Whether the writer cut the text: it keeps so many characters, one less between halves of a character, and its mark. */
function isCut(text: string, at: number): boolean {
  return text.endsWith(CUT_MARK) && text.length >= at - 1 + CUT_MARK.length;
}

function textOf(record: JsonObject, name: string): string | null {
  const value = record.get(name);
  return typeof value === "string" ? value : null;
}

function numberOf(record: JsonObject, name: string): number | null {
  const value = record.get(name);
  return typeof value === "number" ? value : null;
}
