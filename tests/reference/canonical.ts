import { decodeStrict, hasOnlyWholeEscapes, lowerAscii } from "./text.ts";

/** A canonical request without the method. Source: authorization 3.7. */
export interface ReferenceCanonical {
  readonly destination: string;
  readonly segments: readonly string[];
  readonly trailingSlash: boolean;
  readonly query: readonly (readonly [string, readonly string[]])[];
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

/** The canonical form, or the code of the first failure. Source: authorization 3.8. */
export function canonicalizeReference(
  method: string,
  target: string,
): ReferenceCanonical | string {
  const whole = target.split("#")[0]!;
  const mark = whole.indexOf("?");
  const stem = mark === -1 ? whole : whole.slice(0, mark);
  let rawQuery = mark === -1 ? "" : whole.slice(mark + 1);
  let authority: string | null = null;
  let rawPath = stem;
  if (/^[^/]*:\/\//.test(stem)) {
    const scheme = stem.slice(0, stem.indexOf("://"));
    if (lowerAscii(scheme) !== "http") return "CANON_SCHEME";
    const rest = stem.slice(stem.indexOf("://") + 3);
    const slash = rest.indexOf("/");
    authority = slash === -1 ? rest : rest.slice(0, slash);
    rawPath = slash === -1 ? "" : rest.slice(slash);
  } else if (stem !== "" && stem !== "*" && !stem.startsWith("/")) {
    // Without a scheme the whole target is an authority.
    authority = whole;
    rawPath = "";
    rawQuery = "";
  }
  if (!METHODS.includes(method)) return "CANON_METHOD";
  const destination = authority === null ? "unknown:name::0" : destinationOf(authority);
  if (destination.startsWith("CANON_")) return destination;
  const path = canonicalPathReference(rawPath);
  if (typeof path === "string") return path;
  const query = canonicalQueryReference(rawQuery);
  if (typeof query === "string") return query;
  return { destination, ...path, query };
}

/** Source: authorization 3.9, path. */
export function canonicalPathReference(
  raw: string,
): { readonly segments: readonly string[]; readonly trailingSlash: boolean } | string {
  const path = raw === "" ? "/" : raw;
  const endsWithSlash = path.length > 1 && path.endsWith("/");
  if (!hasOnlyWholeEscapes(path)) return "CANON_PCT";
  const decoded = decodeStrict(path);
  if (decoded === null) return "CANON_UTF8";
  const codes = [...decoded].map((character) => character.codePointAt(0)!);
  if (codes.some((code) => code < 0x20 || code === 0x7f)) return "CANON_CTRL";
  if (codes.some((code) => code >= 0x80)) return "CANON_NON_ASCII";
  if (decoded.includes("?")) return "CANON_EMBQ";
  const segments = [""];
  for (const piece of lowerAscii(decoded).split("/")) {
    const name = piece.split(";")[0]!;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (segments.length === 1) return "CANON_UNDERFLOW";
      segments.pop();
    } else segments.push(name);
  }
  return { segments, trailingSlash: endsWithSlash && segments.length > 1 };
}

/** Source: authorization 3.9, query. */
export function canonicalQueryReference(
  raw: string,
): readonly (readonly [string, readonly string[]])[] | string {
  const found = new Map<string, string[]>();
  for (const piece of raw.split("&")) {
    if (piece === "") continue;
    const equals = piece.indexOf("=");
    const key = decodeQueryPart(equals === -1 ? piece : piece.slice(0, equals));
    if (key.code !== undefined) return key.code;
    const value = decodeQueryPart(equals === -1 ? "" : piece.slice(equals + 1));
    if (value.code !== undefined) return value.code;
    if (key.text === "") continue;
    const name = lowerAscii(key.text);
    found.set(name, [...found.get(name) ?? [], lowerAscii(value.text)]);
  }
  return [...found].sort(([left], [right]) => left < right ? -1 : left > right ? 1 : 0);
}

/** One key or value of a rule by itself, in canonical form. */
export function canonicalTextReference(raw: string): { text: string; code?: string } {
  const decoded = decodeQueryPart(raw);
  return { ...decoded, text: lowerAscii(decoded.text) };
}

function decodeQueryPart(raw: string): { text: string; code?: string } {
  if (!hasOnlyWholeEscapes(raw)) return { text: "", code: "CANON_PCT" };
  const decoded = decodeStrict(raw.replaceAll("+", "%20"));
  if (decoded === null) return { text: "", code: "CANON_UTF8" };
  const control = [...decoded].some((character) => character < " " || character === "\x7f");
  return control ? { text: "", code: "CANON_CTRL" } : { text: decoded };
}

/** `imds`, `wireserver`, `hostga`, `unknown:<family>:<host>:<port>` or a code. Source: authorization 3.10. */
function destinationOf(authority: string): string {
  if (authority.includes("@")) return "CANON_USERINFO";
  let host = authority;
  let portText: string | null = null;
  if (authority.startsWith("[")) {
    const end = authority.indexOf("]");
    if (end === -1) return "CANON_HOST";
    host = authority.slice(0, end + 1);
    const rest = authority.slice(end + 1);
    // Text behind the bracket that is no port: ignored by others, refused here.
    if (rest !== "" && !rest.startsWith(":")) return "CANON_PORT";
    if (rest !== "") portText = rest.slice(1);
  } else if (authority.includes(":")) {
    host = authority.slice(0, authority.lastIndexOf(":"));
    portText = authority.slice(authority.lastIndexOf(":") + 1);
  }
  // Others take `+80` for 80; it is refused here.
  if (portText !== null && !/^[0-9]+$/.test(portText)) return "CANON_PORT";
  const port = portText === null ? 80 : Number(portText);
  if (port > 65535) return "CANON_PORT";
  if (host.startsWith("[")) {
    const v6 = readV6(host.slice(1, -1));
    if (v6 === null) return "CANON_HOST";
    const mapped = v6.slice(0, 5).every((group) => group === 0) && v6[5] === 0xffff;
    if (!mapped) return `unknown:v6:${v6.map((group) => group.toString(16)).join(":")}:${port}`;
    return v4Destination(v6[6]! * 65536 + v6[7]!, port);
  }
  if (host.includes("[") || host.includes("]")) return "CANON_HOST";
  const bare = host.replace(/\.+$/, "");
  if (bare === "") return "CANON_HOST";
  if (/^[0-9a-fA-FxX.]+$/.test(bare)) {
    const address = readNumber(bare);
    return address === null ? "CANON_HOST" : v4Destination(address, port);
  }
  if (!/^[A-Za-z0-9.-]+$/.test(bare) || !/[A-Za-z0-9]/.test(bare)) return "CANON_HOST";
  return `unknown:name:${bare}:${port}`;
}

function v4Destination(address: number, port: number): string {
  const dotted = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
  if (dotted === "169.254.169.254" && port === 80) return "imds";
  if (dotted === "168.63.129.16" && port === 80) return "wireserver";
  if (dotted === "168.63.129.16" && port === 32526) return "hostga";
  return `unknown:v4:${dotted}:${port}`;
}

/** Source: authorization 3.10, 4d. */
function readNumber(text: string): number | null {
  const parts = text.split(".");
  if (parts.length > 4) return null;
  const values: number[] = [];
  for (const part of parts) {
    let value: number;
    if (/^0[xX][0-9a-fA-F]{1,8}$/.test(part)) value = parseInt(part.slice(2), 16);
    else if (/^0[0-7]+$/.test(part)) value = parseInt(part, 8);
    else if (/^(0|[1-9][0-9]*)$/.test(part)) value = Number(part);
    else return null;
    if (value > 0xffff_ffff) return null;
    values.push(value);
  }
  const last = values.pop()!;
  if (values.some((value) => value > 255)) return null;
  if (last >= 256 ** (4 - values.length)) return null;
  return values.reduce((sum, value, index) => sum + value * 256 ** (3 - index), last);
}

/** The eight groups of an IPv6 literal; `null` when it is none. */
function readV6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((half) => half === "" ? [] : groupsOf(half));
  if (groups.some((half) => half === null)) return null;
  const [head, tail] = groups as [number[], number[] | undefined];
  // An IPv4 tail is allowed at the very end only.
  if (tail !== undefined && halves[0]!.includes(".")) return null;
  if (tail === undefined) return head.length === 8 ? head : null;
  const missing = 8 - head.length - tail.length;
  return missing < 1 ? null : [...head, ...new Array(missing).fill(0), ...tail];
}

function groupsOf(half: string): number[] | null {
  const groups: number[] = [];
  const pieces = half.split(":");
  for (const [index, piece] of pieces.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(piece)) groups.push(parseInt(piece, 16));
    else if (index === pieces.length - 1 && piece.includes(".")) {
      const quad = piece.split(".");
      if (quad.length !== 4) return null;
      if (quad.some((part) => !/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255)) {
        return null;
      }
      const [a, b, c, d] = quad.map(Number) as [number, number, number, number];
      groups.push(a * 256 + b, c * 256 + d);
    } else return null;
  }
  return groups;
}
