import type { EndpointName } from "../wire/endpoints.ts";

/** Most bytes a request body may have. Source: wire-protocol 1.3. */
export const MAX_BODY_BYTES = 102_400;
/** Most bytes the body of a signature-exempt request may have. */
export const MAX_EXEMPT_BODY_BYTES = 104_857_600;

/**
 * Whether a request goes unsigned: the two uploads of diagnostics. The whole target counts, as text, in lower case.
 * DEVIATION D-14: only on WireServer and HostGAPlugin; elsewhere, and for an unknown destination, nothing is exempt.
 * Source: wire-protocol 5.6 and S-23, authorization 2.4 and W-08.
 */
export function isSignatureExempt(
  method: string,
  target: string,
  endpoint: EndpointName | null,
): boolean {
  if (endpoint !== "wireserver" && endpoint !== "hostga") return false;
  if (method === "PUT") return target.length === 11 && target.toLowerCase() === "/vmagentlog";
  if (method !== "POST" || target.length !== 28) return false;
  return target.toLowerCase() === "/machine/?comp=telemetrydata";
}

/** Most bytes the body of this request may have. */
export function bodyLimitBytes(
  method: string,
  target: string,
  endpoint: EndpointName | null,
): number {
  return isSignatureExempt(method, target, endpoint) ? MAX_EXEMPT_BODY_BYTES : MAX_BODY_BYTES;
}
