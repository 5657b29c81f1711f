import { formatHostDate } from "../domain/endorsement/mod.ts";
import type { SocketAddress } from "../domain/wire/endpoints.ts";
import type { MachineCertificate } from "./certificates.ts";
import type { HostKey, KeyRing } from "./keys.ts";
import {
  certificatesXml,
  extensionsConfigXml,
  goalStateXml,
  hostingEnvironmentXml,
  sharedConfigXml,
  versionsXml,
} from "./machine_documents.ts";
import type { HostPolicy } from "./policy.ts";
import {
  type Answer,
  emptyAnswer,
  type HostRequest,
  jsonAnswer,
  textAnswer,
  xmlAnswer,
} from "./request.ts";

/** Where WireServer can be reached, for the documents that say so. */
export type WireServerSite = SocketAddress;

/** What WireServer's answers depend on. */
export interface WireServerState {
  readonly policy: HostPolicy;
  readonly keys: KeyRing;
  readonly certificate: MachineCertificate;
  readonly nowMs: number;
  readonly site: WireServerSite;
}

const SCHEME = "Azure-HMAC-SHA256";
const KEY_PATH = "/secure-channel/key";
const ATTESTATION = /^\/secure-channel\/key\/([^/]+)\/key-attestation$/;

/** Whether this is one of the two requests by which an agent without a key gets one. Source: wire-protocol 2.3. */
export function isKeyExchange(request: HostRequest): boolean {
  return (request.method === "GET" && request.target === "/secure-channel/status") ||
    (request.method === "POST" && request.target === KEY_PATH);
}

/** The guid of the key that this request attests; `null` when it is no attestation. */
export function attestedGuid(request: HostRequest): string | null {
  if (request.method !== "POST") return null;
  return ATTESTATION.exec(request.path)?.[1] ?? null;
}

/** Whether this request hands telemetry over. */
export function isTelemetry(request: HostRequest): boolean {
  return request.method === "POST" && request.path.startsWith("/machine") &&
    request.parameter("comp")?.toLowerCase() === "telemetrydata";
}

/** WireServer's answer to a request that was verified. Source: wire-protocol 3, 4.2, 7, 11. */
export function wireServerAnswer(request: HostRequest, state: WireServerState): Answer {
  if (request.path.startsWith("/secure-channel/")) return secureChannelAnswer(request, state);
  const component = request.parameter("comp")?.toLowerCase() ?? "";
  switch (component) {
    case "versions":
      return xmlAnswer(versionsXml());
    case "goalstate":
      return xmlAnswer(goalStateXml(state.site));
    case "config":
      return configAnswer(request);
    case "certificates":
      return certificatesAnswer(request, state.certificate);
    case "roleproperties":
      return emptyAnswer(202);
    default:
      // Health reports, telemetry and what else clients send are taken.
      return emptyAnswer(200);
  }
}

/** What the machine's certificates are packed for comes with the question. */
function certificatesAnswer(request: HostRequest, certificate: MachineCertificate): Answer {
  const transport = request.field("x-ms-guest-agent-public-x509-cert");
  return xmlAnswer(certificatesXml(transport === null ? null : certificate.packageFor(transport)));
}

function configAnswer(request: HostRequest): Answer {
  switch (request.parameter("type")?.toLowerCase()) {
    case "sharedconfig":
      return xmlAnswer(sharedConfigXml());
    case "hostingenvironmentconfig":
      return xmlAnswer(hostingEnvironmentXml());
    case "extensionsconfig":
      return xmlAnswer(extensionsConfigXml());
    default:
      return textAnswer(404, "no such configuration\n");
  }
}

function secureChannelAnswer(request: HostRequest, state: WireServerState): Answer {
  if (request.field("metadata")?.toLowerCase() !== "true") {
    return textAnswer(400, "the Metadata header is missing\n");
  }
  if (request.path === "/secure-channel/status") {
    return request.method === "GET" ? statusAnswer(state) : emptyAnswer(405);
  }
  if (request.method !== "POST") return emptyAnswer(405);
  if (request.path === KEY_PATH) return acquireAnswer(request, state);
  const guid = attestedGuid(request);
  if (guid === null) return emptyAnswer(404);
  state.keys.latch(guid, state.nowMs);
  return emptyAnswer(200);
}

function statusAnswer(state: WireServerState): Answer {
  const { policy, keys } = state;
  const guid = keys.namedGuid();
  const document = {
    authorizationScheme: SCHEME,
    keyDeliveryMethod: "http",
    keyGuid: guid,
    keyIncarnationId: guid === null
      ? null
      : (keys.announced ?? keys.latched)?.incarnationId ?? null,
    requiredClaimsHeaderPairs: ["isRoot"],
    ...policy,
  };
  return jsonAnswer(200, document, [["x-ms-azure-host-date", formatHostDate(state.nowMs)]]);
}

function acquireAnswer(request: HostRequest, state: WireServerState): Answer {
  if (!asksForOurScheme(request.body)) {
    return textAnswer(400, "the body must name the authorization scheme\n");
  }
  return jsonAnswer(200, keyDocument(state.keys.offer(state.nowMs)));
}

function asksForOurScheme(body: Uint8Array): boolean {
  try {
    const document: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return (document as { authorizationScheme?: unknown } | null)?.authorizationScheme === SCHEME;
  } catch {
    return false;
  }
}

function keyDocument(key: HostKey): Record<string, string | number> {
  return {
    authorizationScheme: SCHEME,
    guid: key.guid,
    incarnationId: key.incarnationId,
    issued: key.issued,
    key: key.hex,
  };
}
