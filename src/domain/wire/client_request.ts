/** The methods the agent serves; everything else is answered with 405. Source: wire-protocol 9.2. */
export type Method = "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH";

/** The methods in the order in which the `Allow` header of a 405 lists them. */
export const METHODS: readonly Method[] = Object.freeze([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "PATCH",
]);

/** Whether `text` is a method the agent serves. Case-sensitive, as HTTP methods are. */
export function isMethod(text: string): text is Method {
  return (METHODS as readonly string[]).includes(text);
}

/** One header field: name in lower case, value without outer white space. */
export type HeaderField = readonly [name: string, value: string];

/** How the end of a message body is found. */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" };

/** A request target and its raw parts; made by `canonical/raw_target.ts`. */
export interface TargetParts {
  /** As received, fragment removed. */
  readonly target: string;
  /** Raw path: nothing decoded, nothing normalised. */
  readonly path: string;
  /** Raw text after the first `?`; `null` when there is no `?`. */
  readonly query: string | null;
}

/** What the intake read from the wire. */
export interface RawClientRequest {
  readonly method: Method;
  readonly target: TargetParts;
  readonly headers: Iterable<HeaderField>;
  readonly framing: BodyFraming;
}

/** Header names that only the agent may set start with this. Where programs read fields as variables, `_` and `-` are one. */
const AGENT_HEADER_PREFIX = /^x[-_]ms[-_]azure[-_]host[-_]/;

class CheckedRequest {
  /** Makes the class nominal: no literal, spread or copy passes for a checked request. */
  readonly #checked = true;
  readonly method: Method;
  readonly target: string;
  readonly path: string;
  readonly query: string | null;
  /** INVARIANT: names are lower case, values are trimmed, and no `x-ms-azure-host-*` field is left. */
  readonly headers: readonly HeaderField[];
  readonly framing: BodyFraming;

  constructor(raw: RawClientRequest) {
    this.method = raw.method;
    this.target = raw.target.target;
    this.path = raw.target.path;
    this.query = raw.target.query;
    this.headers = ownableHeaders(raw.headers);
    this.framing = raw.framing;
  }

  static owns(value: object): boolean {
    return #checked in value;
  }
}

/** A request that passed the guard rails. Only `clientRequest()` makes it. */
export type ClientRequest = CheckedRequest;

/**
 * Makes the request value that travels through the program.
 * DEVIATION D-03: fields named `x-ms-azure-host-*`, or so with `_` for `-`, are dropped here, on every path, so that no
 * caller can speak for the agent.
 * Source: wire-protocol 5.6 and S-6, authorization W-25.
 */
export function clientRequest(raw: RawClientRequest): ClientRequest {
  return new CheckedRequest(raw);
}

/** Whether `value` came from `clientRequest()`. */
export function isClientRequest(value: object): value is ClientRequest {
  return CheckedRequest.owns(value);
}

/** The value of the last field called `name` (lower case); `null` when there is none. */
export function headerValue(headers: readonly HeaderField[], name: string): string | null {
  for (let index = headers.length - 1; index >= 0; index--) {
    const field = headers[index]!;
    if (field[0] === name) return field[1];
  }
  return null;
}

function ownableHeaders(fields: Iterable<HeaderField>): readonly HeaderField[] {
  const kept: HeaderField[] = [];
  for (const field of fields) {
    const name = field[0].toLowerCase();
    if (AGENT_HEADER_PREFIX.test(name)) continue;
    const value = trimmed(field[1]);
    kept.push(name === field[0] && value === field[1] ? field : [name, value]);
  }
  return Object.freeze(kept);
}

/** Without spaces and tabs at both ends. Other white space is no header white space and stays for the checks to find. */
function trimmed(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return start === 0 && end === value.length ? value : value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
