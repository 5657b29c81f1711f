import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { signatureOf } from "./canonical.ts";
import type { KeyRing, KeyStanding } from "./keys.ts";
import type { HostRequest } from "./request.ts";

/** Why a signature is not accepted. Stable words: they stand in 401 bodies and in the journal. */
export type BadSignature =
  | "several-authorization-fields"
  | "authorization-malformed"
  | "key-unknown"
  | "key-not-latched"
  | "date-missing"
  | "date-malformed"
  | "date-too-far"
  | "claims-missing"
  | "claims-malformed"
  | "signature-mismatch";

/** What the host makes of a request's signature. */
export type Verdict =
  | { readonly kind: "signed"; readonly guid: string; readonly standing: KeyStanding }
  | { readonly kind: "unsigned" }
  | { readonly kind: "bad"; readonly guid: string | null; readonly reason: BadSignature };

const UNSIGNED: Verdict = Object.freeze({ kind: "unsigned" });
const AUTHORIZATION = /^Azure-HMAC-SHA256 (\S+) ([0-9a-f]{64})$/;
const CLAIMS = /^\{ "isRoot": "(true|false)"\}$/;
const DATE =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/;

/**
 * Verifies a request as it arrived. With `attesting`, the one key that may have signed is the offered or latched key of
 * that guid; otherwise the latched key or, for its grace time, the one before.
 */
export function verify(
  request: HostRequest,
  keys: KeyRing,
  nowMs: number,
  maxSkewMs: number,
  attesting: string | null = null,
): Verdict {
  const claimed = request.fields("x-ms-azure-host-authorization");
  if (claimed.length === 0) return UNSIGNED;
  if (claimed.length > 1) return bad(null, "several-authorization-fields");
  const match = AUTHORIZATION.exec(claimed[0]!);
  if (match === null) return bad(null, "authorization-malformed");
  const guid = match[1]!;
  const found = keys.find(guid, nowMs);
  if (found === null || (attesting !== null && attesting !== guid)) return bad(guid, "key-unknown");
  if (attesting === null && found.standing === "offered") return bad(guid, "key-not-latched");
  const doubt = dateDoubt(request, nowMs, maxSkewMs) ?? claimsDoubt(request);
  if (doubt !== null) return bad(guid, doubt);
  const expected = signatureOf(request.rawHead, request.body, found.key.secret);
  if (!timingSafeEqual(Buffer.from(expected), Buffer.from(match[2]!))) {
    return bad(guid, "signature-mismatch");
  }
  return { kind: "signed", guid, standing: found.standing };
}

/** The claim of a request: `null` when there is none or it is not the one value that the agent sends. */
export function isRootClaim(request: HostRequest): boolean | null {
  const values = request.fields("x-ms-azure-host-claims");
  const match = values.length === 1 ? CLAIMS.exec(values[0]!) : null;
  return match === null ? null : match[1] === "true";
}

function claimsDoubt(request: HostRequest): BadSignature | null {
  if (isRootClaim(request) !== null) return null;
  return request.fields("x-ms-azure-host-claims").length === 0
    ? "claims-missing"
    : "claims-malformed";
}

function dateDoubt(request: HostRequest, nowMs: number, maxSkewMs: number): BadSignature | null {
  const values = request.fields("x-ms-azure-host-date");
  if (values.length === 0) return "date-missing";
  if (values.length > 1 || !DATE.test(values[0]!)) return "date-malformed";
  return Math.abs(Date.parse(values[0]!) - nowMs) > maxSkewMs ? "date-too-far" : null;
}

function bad(guid: string | null, reason: BadSignature): Verdict {
  return { kind: "bad", guid, reason };
}
