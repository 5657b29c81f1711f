import { reasonPhrase } from "../../domain/wire/mod.ts";

/**
 * Code and standard phrase, e.g. `403 Forbidden`; `0 No Response` for a connection that was cut.
 * Source: authorization 6.3, wire-protocol 8.8.
 */
export function responseStatus(status: number): string {
  if (status === 0) return "0 No Response";
  return `${status} ${reasonPhrase(status) ?? "<unknown status code>"}`;
}
