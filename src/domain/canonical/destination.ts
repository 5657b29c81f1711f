import { err, ok, type Result } from "../../runtime/result.ts";
import { destinationKind, type EndpointName, ENDPOINTS } from "../wire/endpoints.ts";
import type { CanonCode } from "./codes.ts";
import {
  dottedQuad,
  groupsText,
  type HostAddress,
  parseDottedQuad,
  parseIpv6,
  parseNumericHost,
  unmapped,
} from "./host_address.ts";

/**
 * What a target says about where it goes. It never decides that: the address that the caller dialled does. `unknown` with
 * port 0 and no host stands for a target without authority, the usual case.
 */
export type Destination =
  | { readonly kind: EndpointName }
  | {
    readonly kind: "unknown";
    readonly family: "v4" | "v6" | "name";
    /** A dotted quad, or eight groups in hexadecimal; `null` for a name. */
    readonly ip: string | null;
    readonly port: number;
    /** The name as written, without dots at its end; `null` for an address. For records, never compared. */
    readonly hostText: string | null;
  };

/** The destination of a target that names none. */
export const NO_AUTHORITY: Destination = Object.freeze({
  kind: "unknown",
  family: "name",
  ip: null,
  port: 0,
  hostText: null,
});

const DEFAULT_PORT = 80;
const MAX_PORT = 65_535;
const DIGITS = /^[0-9]+$/;
/** Hosts of these characters alone are numbers or nothing, so that no spelling of an address passes for a name. */
const NUMERIC_HOST = /^[0-9a-fA-FxX.]+$/;
const NAME = /^[0-9A-Za-z.-]+$/;
const ALPHANUMERIC = /[0-9A-Za-z]/;

/**
 * Reads an authority: host and port, in every spelling of an address that some reader may accept. `null` for none.
 * DEVIATION D-80: a port is made of digits alone. DEVIATION D-81: nothing may stand between `]` and the colon of the port.
 * Source: authorization 3.10.
 */
export function classifyAuthority(authority: string | null): Result<Destination, CanonCode> {
  if (authority === null) return ok(NO_AUTHORITY);
  if (authority.includes("@")) return err("CANON_USERINFO");
  const { hostText, portText, strayText } = splitAuthority(authority);
  const port = portText === null ? DEFAULT_PORT : parsePort(portText);
  if (port === null) return err("CANON_PORT");
  const destination = classifyHost(hostText, port);
  return destination.ok && strayText ? err("CANON_PORT") : destination;
}

/** Whether the target names a destination other than the endpoint that was dialled. One that names none does not. */
export function namesOtherDestination(destination: Destination, dialled: EndpointName): boolean {
  return destination.kind !== dialled && destination !== NO_AUTHORITY;
}

interface AuthorityParts {
  readonly hostText: string;
  /** `null` when there is none. */
  readonly portText: string | null;
  /** Whether text that is neither stands behind a bracket. */
  readonly strayText: boolean;
}

function splitAuthority(authority: string): AuthorityParts {
  const hostEnd = authority.lastIndexOf("]") + 1;
  if (hostEnd === 0) {
    const colon = authority.lastIndexOf(":");
    if (colon < 0) return { hostText: authority, portText: null, strayText: false };
    const portText = authority.slice(colon + 1);
    return { hostText: authority.slice(0, colon), portText, strayText: false };
  }
  const hostText = authority.slice(0, hostEnd);
  const rest = authority.slice(hostEnd);
  if (rest.startsWith(":")) return { hostText, portText: rest.slice(1), strayText: false };
  return { hostText, portText: null, strayText: rest !== "" };
}

function parsePort(text: string): number | null {
  if (!DIGITS.test(text)) return null;
  const port = Number(text);
  return port <= MAX_PORT ? port : null;
}

function classifyHost(hostText: string, port: number): Result<Destination, CanonCode> {
  if (hostText.startsWith("[")) {
    const groups = hostText.endsWith("]") ? parseIpv6(hostText.slice(1, -1)) : null;
    return groups === null ? err("CANON_HOST") : ok(addressed(unmapped(groups), port));
  }
  const quad = parseDottedQuad(hostText);
  if (quad !== null) return ok(addressed({ family: "v4", bits: quad }, port));
  const host = withoutTrailingDots(hostText);
  if (NUMERIC_HOST.test(host)) {
    const bits = parseNumericHost(host);
    return bits === null ? err("CANON_HOST") : ok(addressed({ family: "v4", bits }, port));
  }
  if (!NAME.test(host) || !ALPHANUMERIC.test(host)) return err("CANON_HOST");
  return ok({ kind: "unknown", family: "name", ip: null, port, hostText: host });
}

function addressed(address: HostAddress, port: number): Destination {
  if (address.family === "v6") {
    const ip = groupsText(address.groups);
    return { kind: "unknown", family: "v6", ip, port, hostText: null };
  }
  const ip = dottedQuad(address.bits);
  const kind = destinationKind({ address: ip, port }, ENDPOINTS);
  // The agent's own listener is no destination that a target may mean.
  if (kind !== "unknown" && kind !== "listener") return { kind };
  return { kind: "unknown", family: "v4", ip, port, hostText: null };
}

function withoutTrailingDots(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0x2e) end--;
  return text.slice(0, end);
}
