import { claimsHeader } from "../identity/claims_header.ts";
import type { Permitted } from "../policy/authorize.ts";
import type { BodyFraming, ClientRequest, HeaderField, Method } from "../wire/client_request.ts";
import type { SocketAddress } from "../wire/endpoints.ts";
import {
  AUTHORIZATION_SCHEME,
  HOST_AUTHORIZATION_HEADER,
  HOST_CLAIMS_HEADER,
  HOST_DATE_HEADER,
} from "../wire/headers.ts";
import type { HostDate } from "./host_date.ts";
import type { LatchedKey } from "./secret_key.ts";
import { SigningError, stringToSign } from "./string_to_sign.ts";

/** Everything the sink writes. `headers` is complete and frozen: the sink adds, drops and changes nothing. */
interface Outgoing {
  readonly destination: SocketAddress;
  readonly method: Method;
  readonly target: string;
  readonly headers: readonly HeaderField[];
  readonly framing: BodyFraming;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
}

class OutgoingRequest implements Outgoing {
  /** Makes the class nominal, and is what the sink looks for at run time. */
  readonly #made = true;
  readonly destination: SocketAddress;
  readonly method: Method;
  readonly target: string;
  readonly headers: readonly HeaderField[];
  readonly framing: BodyFraming;
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;

  constructor(outgoing: Outgoing) {
    this.destination = outgoing.destination;
    this.method = outgoing.method;
    this.target = outgoing.target;
    this.headers = outgoing.headers;
    this.framing = outgoing.framing;
    this.body = outgoing.body;
  }

  static owns(value: object): boolean {
    return #made in value;
  }
}

class EndorsedRequest extends OutgoingRequest {
  readonly kind = "endorsed";
  declare readonly body: Uint8Array | null;
}

class UnendorsedRequest extends OutgoingRequest {
  readonly kind = "unendorsed";
  constructor(outgoing: Outgoing, readonly why: "signature-exempt" | "no-key-latched") {
    super(outgoing);
  }
}

/** A signed request, exactly as it goes to the host. */
export type Endorsed = EndorsedRequest;
/** A request that goes to the host without a signature, and the reason. */
export type Unendorsed = UnendorsedRequest;
/** All that may be sent to the host on behalf of a caller. */
export type Forwardable = Endorsed | Unendorsed;

/** Whether `value` came from `endorse()` or `exempt()`. The sink asks before it writes a byte. */
export function isForwardable(value: unknown): value is Forwardable {
  return typeof value === "object" && value !== null && OutgoingRequest.owns(value);
}

/**
 * Signs a permitted request; with no key latched it goes unsigned and says so. `body` is the whole content, without
 * transfer coding, of the length the framing announced.
 * INVARIANT: what is signed is what is sent. DEVIATION D-11: framing fields follow the body: an empty chunked body has none,
 * and there are never both a length and a transfer coding. DEVIATION D-12: what cannot be signed is not sent.
 * @throws SigningError SIGNING_BODY_LENGTH, SIGNING_HEADER_SYNTAX, SIGNING_NOT_ASCII
 * Source: wire-protocol 5, 9.5; S-5 and S-6.
 */
export function endorse(
  permitted: Permitted<"required">,
  body: Uint8Array,
  key: LatchedKey | null,
  date: HostDate,
): Forwardable {
  const { request, caller, destination } = permitted.subject;
  const framing = framingOf(request.framing, body.byteLength);
  const content = body.byteLength === 0 ? null : body;
  const headers = outgoingHeaders(request, framing, caller.elevated, date);
  const { method, target, path, query } = request;
  if (key === null) {
    return new UnendorsedRequest(
      { destination, method, target, headers: Object.freeze(headers), framing, body: content },
      "no-key-latched",
    );
  }
  const signature = key.secret.mac(stringToSign({ method, path, query, headers, body: content }));
  headers.push([HOST_AUTHORIZATION_HEADER, authorizationValue(key.guid, signature)]);
  return new EndorsedRequest(
    { destination, method, target, headers: Object.freeze(headers), framing, body: content },
  );
}

/**
 * Prepares a signature-exempt request; its body streams through as it arrives.
 * `body` is ignored where the framing says that there is none. Source: wire-protocol 5.6 and 9.5.
 */
export function exempt(
  permitted: Permitted<"exempt">,
  body: ReadableStream<Uint8Array> | null,
  date: HostDate,
): Unendorsed {
  const { request, caller, destination } = permitted.subject;
  const framing = body === null ? NO_BODY : request.framing;
  return new UnendorsedRequest({
    destination,
    method: request.method,
    target: request.target,
    headers: Object.freeze(outgoingHeaders(request, framing, caller.elevated, date)),
    framing,
    body: framing.kind === "none" ? null : body,
  }, "signature-exempt");
}

/** The value of the authorization header. Source: wire-protocol 5.5. */
export function authorizationValue(guid: string, signature: string): string {
  return `${AUTHORIZATION_SCHEME} ${guid} ${signature}`;
}

const NO_BODY: BodyFraming = Object.freeze({ kind: "none" });

function framingOf(announced: BodyFraming, bytes: number): BodyFraming {
  if (announced.kind === "chunked") return bytes === 0 ? NO_BODY : announced;
  if (bytes !== (announced.kind === "length" ? announced.bytes : 0)) {
    throw new SigningError("SIGNING_BODY_LENGTH", "sign a body of another length than announced");
  }
  return announced;
}

/** The client's fields in their order, with the framing that is sent, then claims and date. */
function outgoingHeaders(
  request: ClientRequest,
  framing: BodyFraming,
  elevated: boolean,
  date: HostDate,
): HeaderField[] {
  const headers: HeaderField[] = [];
  let framed = framing.kind === "none";
  for (const field of request.headers) {
    const name = field[0];
    if (name === "content-length") {
      if (framing.kind !== "length" || framed) continue;
      headers.push([name, String(framing.bytes)]);
      framed = true;
    } else if (name === "transfer-encoding") {
      if (framing.kind !== "chunked") continue;
      headers.push(field);
      framed = true;
    } else {
      headers.push(field);
    }
  }
  if (!framed && framing.kind === "length") {
    headers.push(["content-length", String(framing.bytes)]);
  } else if (!framed && framing.kind === "chunked") {
    headers.push(["transfer-encoding", "chunked"]);
  }
  headers.push([HOST_CLAIMS_HEADER, claimsHeader(elevated)], [HOST_DATE_HEADER, date]);
  return headers;
}
