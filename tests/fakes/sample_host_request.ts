import { Buffer } from "node:buffer";
import {
  authorizationValue,
  formatHostDate,
  type LatchedKey,
  stringToSign,
} from "../../src/domain/endorsement/mod.ts";
import { splitTarget } from "../../src/domain/canonical/mod.ts";
import type { EndpointName, HeaderField } from "../../src/domain/wire/mod.ts";
import type { HostKey } from "../../src/simulator/mod.ts";
import { HostRequest } from "../../src/simulator/request.ts";

/** How a request differs from `GET /metadata/instance` on IMDS. */
export interface HostRequestChange {
  readonly endpoint?: EndpointName;
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: string;
  /** Signs with this key, claims and date added, as the agent does. */
  readonly key?: HostKey;
  /** Date of a signed request, milliseconds since the epoch. */
  readonly dateMs?: number;
  /** The claim of a signed request. */
  readonly isRoot?: boolean;
}

/** The moment of every request that is not told another, milliseconds since the epoch. */
export const SAMPLE_MS = Date.UTC(2026, 0, 6, 7, 8, 9);

/** A request as the simulated host receives it. */
export function sampleHostRequest(change: HostRequestChange = {}): HostRequest {
  const method = change.method ?? "GET";
  const target = change.target ?? "/metadata/instance?api-version=2021-02-01";
  const body = Uint8Array.from(Buffer.from(change.body ?? ""));
  let headers: HeaderField[] = [...change.headers ?? [["metadata", "true"]]];
  if (change.key !== undefined) headers = signed(change, method, target, headers, body);
  const lines = [`${method} ${target} HTTP/1.1`, ...headers.map((field) => field.join(": "))];
  const head = Buffer.from(lines.join("\r\n") + "\r\n\r\n", "latin1");
  return new HostRequest(
    change.endpoint ?? "imds",
    "127.0.0.1:4000",
    method,
    target,
    "1.1",
    headers,
    head,
    body,
    body.length,
    SAMPLE_MS,
  );
}

/** The same key in the agent's hands. */
export function agentKey(key: HostKey): LatchedKey {
  return { guid: key.guid, secret: key.secret, incarnationId: key.incarnationId };
}

function signed(
  change: HostRequestChange,
  method: string,
  target: string,
  headers: HeaderField[],
  body: Uint8Array,
): HeaderField[] {
  const key = agentKey(change.key!);
  const { path, query } = splitTarget(target);
  const complete: HeaderField[] = [
    ...headers,
    ["x-ms-azure-host-claims", `{ "isRoot": "${change.isRoot ?? false}"}`],
    ["x-ms-azure-host-date", formatHostDate(change.dateMs ?? SAMPLE_MS)],
  ];
  const signature = key.secret.mac(stringToSign({ method, path, query, headers: complete, body }));
  return [
    ...complete,
    ["x-ms-azure-host-authorization", authorizationValue(key.guid, signature)],
  ];
}
