/**
 * The value of `x-ms-azure-host-claims`, byte-exact: the only thing the host learns about a caller.
 * Source: wire-protocol 6.1.
 */
export function claimsHeader(elevated: boolean): string {
  return elevated ? `{ "isRoot": "true"}` : `{ "isRoot": "false"}`;
}
