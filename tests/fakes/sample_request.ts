import { splitTarget } from "../../src/domain/canonical/mod.ts";
import {
  endorse,
  exempt,
  formatHostDate,
  type Forwardable,
  type LatchedKey,
  SecretKey,
} from "../../src/domain/endorsement/mod.ts";
import type { Caller, ConnectionRecord, RedactedText } from "../../src/domain/identity/mod.ts";
import { authorize, type Permitted, type PolicySnapshot } from "../../src/domain/policy/mod.ts";
import {
  type BodyFraming,
  clientRequest,
  type EndpointName,
  type HeaderField,
  type Method,
  type SocketAddress,
} from "../../src/domain/wire/mod.ts";

/** A record of a connection of uid 1000 to IMDS; every field can be given. */
export function sampleRecord(given: Partial<ConnectionRecord> = {}): ConnectionRecord {
  return {
    cookie: 7n,
    source: { address: "127.0.0.1", port: 40_000 },
    netns: 1n,
    destination: { address: "169.254.169.254", port: 80 },
    uid: 1000,
    gid: 1000,
    process: { tgid: 4711, startedAtBootNs: 1n },
    comm: "curl",
    exe: { device: 1n, inode: 2n },
    cgroupId: 3n,
    connectedAtBootNs: 4n,
    ...given,
  };
}

/** The caller of a record, proven and known. */
export function sampleCaller(record: ConnectionRecord = sampleRecord()): Caller {
  return {
    record,
    elevated: record.uid === 0,
    account: { userName: "somebody", groups: ["somebody"] },
    exe: { kind: "verified", path: "/usr/bin/curl" },
    commandLine: "curl" as RedactedText,
  };
}

/** The built-in policy, all endpoints in one mode. */
export function samplePolicy(mode: "audit" | "disabled" | "enforce" = "enforce"): PolicySnapshot {
  return {
    epoch: 3,
    digest: "",
    matching: "shadow",
    endpoints: {
      wireserver: { kind: "built-in", mode },
      hostga: { kind: "built-in", mode },
      imds: { kind: "built-in", mode },
    },
  };
}

/** The published example key of wire-protocol 5.8. */
export function sampleKey(): LatchedKey {
  const secret = SecretKey.fromHex(
    "0F1E2D3C4B5A69788796A5B4C3D2E1F000112233445566778899AABBCCDDEEFF",
  );
  if (!secret.ok) throw new Error(secret.error);
  return {
    guid: "5b1c7e2a-9d40-4c58-8f0e-3a6d2f917c44",
    secret: secret.value,
    incarnationId: null,
  };
}

export interface SampleOptions {
  readonly method?: Method;
  readonly target?: string;
  readonly headers?: readonly HeaderField[];
  readonly body?: Uint8Array | null;
  /** Whether the body is announced as chunked instead of by its length. */
  readonly isChunked?: boolean;
  readonly destination?: SocketAddress;
  readonly key?: LatchedKey | null;
}

/** A request that was really authorised and endorsed; unsigned unless a key is given. */
export function sampleForwardable(options: SampleOptions = {}): Forwardable {
  const body = options.body ?? null;
  const framing: BodyFraming = body === null
    ? { kind: "none" }
    : options.isChunked === true
    ? { kind: "chunked" }
    : { kind: "length", bytes: body.length };
  const permitted = permit({
    method: options.method ?? "GET",
    target: options.target ?? "/x",
    headers: options.headers ?? [["host", "h"]],
    framing,
    destination: options.destination ?? sampleRecord().destination,
    endpoint: "imds",
  }) as Permitted<"required">;
  return endorse(permitted, body ?? new Uint8Array(), options.key ?? null, DATE);
}

/** A diagnostics upload whose body streams. */
export function sampleExempt(
  body: ReadableStream<Uint8Array>,
  framing: BodyFraming,
): Forwardable {
  const permitted = permit({
    method: "PUT",
    target: "/vmAgentLog",
    headers: [["host", "h"]],
    framing,
    destination: { address: "168.63.129.16", port: 32526 },
    endpoint: "hostga",
  }) as Permitted<"exempt">;
  return exempt(permitted, body, DATE);
}

const DATE = formatHostDate(Date.UTC(2026, 0, 6, 7, 8, 9));

function permit(asked: {
  method: Method;
  target: string;
  headers: readonly HeaderField[];
  framing: BodyFraming;
  destination: SocketAddress;
  endpoint: EndpointName;
}): Permitted {
  const request = clientRequest({
    method: asked.method,
    target: splitTarget(asked.target),
    headers: asked.headers,
    framing: asked.framing,
  });
  const caller = sampleCaller(sampleRecord({ uid: 0, destination: asked.destination }));
  const { endpoint, destination } = asked;
  const decision = authorize({ request, endpoint, destination, caller }, samplePolicy());
  if (decision.kind === "refuse") throw new Error(decision.refusal.detail);
  return decision.permitted;
}
