import { splitTarget } from "../canonical/raw_target.ts";
import { claimsHeader } from "../identity/claims_header.ts";
import type { HeaderField } from "../wire/client_request.ts";
import {
  HOST_AUTHORIZATION_HEADER,
  HOST_CLAIMS_HEADER,
  HOST_DATE_HEADER,
} from "../wire/headers.ts";
import { authorizationValue } from "./endorse.ts";
import type { HostDate } from "./host_date.ts";
import type { LatchedKey } from "./secret_key.ts";
import { stringToSign } from "./string_to_sign.ts";

/** What the agent wants to say to the host. */
export interface OwnRequestOptions {
  readonly method: "GET" | "POST";
  /** Origin form. */
  readonly target: string;
  /** Address of the host, never with a port. */
  readonly host: string;
  /** Fields of this request, names in lower case. */
  readonly extraHeaders: readonly HeaderField[];
  readonly body: Uint8Array | null;
  /** Signs the request when given. */
  readonly key: LatchedKey | null;
  readonly date: HostDate;
}

/** A request of the agent's own, exactly as it goes on the wire. */
export interface OwnRequest {
  readonly method: "GET" | "POST";
  readonly target: string;
  readonly headers: readonly HeaderField[];
  readonly body: Uint8Array | null;
}

/**
 * Builds a request of the agent's own: date, host, claims of root, length, the extra fields, and a signature when a key is
 * given. A length is always sent, also with GET. @throws SigningError when a field or the target is not ASCII.
 * Source: wire-protocol 2.
 */
export function ownRequest(options: OwnRequestOptions): OwnRequest {
  const { method, target, host, extraHeaders, body, key, date } = options;
  const headers: HeaderField[] = [
    [HOST_DATE_HEADER, date],
    ["host", host],
    [HOST_CLAIMS_HEADER, claimsHeader(true)],
    ["content-length", String(body?.byteLength ?? 0)],
    ...extraHeaders,
  ];
  if (key !== null) {
    const { path, query } = splitTarget(target);
    const signature = key.secret.mac(stringToSign({ method, path, query, headers, body }));
    headers.push([HOST_AUTHORIZATION_HEADER, authorizationValue(key.guid, signature)]);
  }
  return { method, target, headers: Object.freeze(headers), body };
}
