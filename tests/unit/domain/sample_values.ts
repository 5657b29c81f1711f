import { splitTarget } from "../../../src/domain/canonical/mod.ts";
import { type LatchedKey, latchedKey } from "../../../src/domain/endorsement/mod.ts";
import { type Caller, redactedText } from "../../../src/domain/identity/mod.ts";
import {
  authorize,
  type EndpointPolicy,
  type Mode,
  type Permitted,
  type PolicySnapshot,
} from "../../../src/domain/policy/mod.ts";
import {
  type BodyFraming,
  type ClientRequest,
  clientRequest,
  type EndpointName,
  ENDPOINTS,
  type HeaderField,
  type Method,
  parseKeyGrant,
} from "../../../src/domain/wire/mod.ts";

/** The published example key. */
export const SAMPLE_KEY_HEX = "0F1E2D3C4B5A69788796A5B4C3D2E1F000112233445566778899AABBCCDDEEFF";
export const SAMPLE_GUID = "5b1c7e2a-9d40-4c58-8f0e-3a6d2f917c44";

export function sampleKey(): LatchedKey {
  const document = parseKeyGrant(JSON.stringify({
    authorizationScheme: "Azure-HMAC-SHA256",
    guid: SAMPLE_GUID,
    incarnationId: 2,
    issued: "2026-01-06T07:08:09Z",
    key: SAMPLE_KEY_HEX,
  }));
  if (!document.ok) throw new Error(document.error.message);
  const key = latchedKey(document.value);
  if (!key.ok) throw new Error(key.error);
  return key.value;
}

export function sampleCaller(uid: number, change: Partial<Caller> = {}): Caller {
  return {
    record: {
      cookie: 7n,
      source: { address: "127.0.0.1", port: 40_000 },
      netns: 1n,
      destination: ENDPOINTS.imds,
      uid,
      gid: 100,
      process: { tgid: 4711, startedAtBootNs: 5n },
      comm: "curl",
      exe: { device: 1n, inode: 2n },
      cgroupId: 3n,
      connectedAtBootNs: 6n,
    },
    elevated: uid === 0,
    account: { userName: uid === 0 ? "root" : "svc", groups: ["users", "ops"] },
    exe: { kind: "verified", path: "/usr/bin/curl" },
    commandLine: redactedText("curl -s"),
    ...change,
  };
}

export interface SampleRequest {
  readonly method?: Method;
  readonly target?: string;
  readonly headers?: readonly HeaderField[];
  readonly framing?: BodyFraming;
}

export function sampleRequest(sample: SampleRequest = {}): ClientRequest {
  return clientRequest({
    method: sample.method ?? "GET",
    target: splitTarget(sample.target ?? "/metadata/instance"),
    headers: sample.headers ?? [["host", "169.254.169.254"]],
    framing: sample.framing ?? { kind: "none" },
  });
}

export function samplePolicy(mode: Mode, kind: "built-in" | "closed" = "built-in"): PolicySnapshot {
  const policy: EndpointPolicy = kind === "built-in"
    ? { kind, mode }
    : { kind, mode, reason: "rules of a kind this release does not know" };
  return {
    epoch: 3,
    digest: "d",
    matching: "shadow",
    endpoints: { wireserver: policy, imds: policy, hostga: policy },
  };
}

/** A permit for a request to sign, from root in Enforce. */
export function requiredPermit(
  request: ClientRequest,
  endpoint: EndpointName = "wireserver",
  uid = 0,
): Permitted<"required"> {
  const permitted = samplePermit(request, endpoint, uid);
  if (permitted.signing !== "required") throw new Error("sample is exempt");
  return permitted;
}

/** A permit for a request that goes unsigned, from root in Enforce. */
export function exemptPermit(request: ClientRequest): Permitted<"exempt"> {
  const permitted = samplePermit(request, "wireserver", 0);
  if (permitted.signing !== "exempt") throw new Error("sample is not exempt");
  return permitted;
}

function samplePermit(request: ClientRequest, endpoint: EndpointName, uid: number): Permitted {
  const subject = {
    request,
    endpoint,
    destination: ENDPOINTS[endpoint],
    caller: sampleCaller(uid),
  };
  const decision = authorize(subject, samplePolicy("enforce"));
  if (decision.kind !== "permit") throw new Error(decision.refusal.detail);
  return decision.permitted;
}
