import {
  AUTHORIZATION_SCHEME,
  type HeaderField,
  headerValue,
  type KeyGuid,
  METADATA_HEADER,
  NOTIFY_HEADER,
  TIME_TICK_HEADER,
  WIRE_VERSION_HEADER,
  WIRE_VERSION_VALUE,
} from "../../domain/wire/mod.ts";

/** One thing the agent asks of the host, apart from date, host, claims and signature, which every request has. */
export interface HostQuestion {
  /** What is asked for, for errors. */
  readonly name: string;
  readonly method: "GET" | "POST";
  readonly target: string;
  readonly extraHeaders: readonly HeaderField[];
  readonly body: Uint8Array | null;
  /** Which statuses are a success. */
  readonly success: "2xx" | "200";
  /** Whether nothing is wanted of the answer but its status: then it counts from there on, however its body ends. */
  readonly statusOnly?: true;
}

const SECURE_CHANNEL: HeaderField = [METADATA_HEADER, "True"];
const WIRE_VERSION: HeaderField = [WIRE_VERSION_HEADER, WIRE_VERSION_VALUE];
const ENCODER = new TextEncoder();

/** Row 1 of the inventory. Source: wire-protocol 2.3, as for all that follow. */
export function statusQuestion(): HostQuestion {
  return {
    name: "get the key status",
    method: "GET",
    target: "/secure-channel/status",
    extraHeaders: [SECURE_CHANNEL],
    body: null,
    success: "2xx",
  };
}

/** Row 2. */
export function acquireQuestion(): HostQuestion {
  return {
    name: "acquire a key",
    method: "POST",
    target: "/secure-channel/key",
    extraHeaders: [SECURE_CHANNEL, ["content-type", "application/json"]],
    body: ENCODER.encode(`{"authorizationScheme": "${AUTHORIZATION_SCHEME}"}`),
    success: "200",
  };
}

/** Row 3; to be signed with the new key. */
export function attestQuestion(guid: KeyGuid): HostQuestion {
  return {
    name: "attest the key",
    method: "POST",
    target: `/secure-channel/key/${guid}/key-attestation`,
    extraHeaders: [SECURE_CHANNEL],
    body: null,
    success: "200",
    statusOnly: true,
  };
}

/** Row 4. */
export function goalStateQuestion(): HostQuestion {
  return {
    name: "get the goal state",
    method: "GET",
    target: "/machine?comp=goalstate",
    extraHeaders: [WIRE_VERSION],
    body: null,
    success: "2xx",
  };
}

/** Row 5; `target` is the raw path and query of the URL in the goal state. */
export function sharedConfigQuestion(target: string): HostQuestion {
  return {
    name: "get the shared configuration",
    method: "GET",
    target,
    extraHeaders: [WIRE_VERSION],
    body: null,
    success: "2xx",
  };
}

/** Row 6. */
export function instanceQuestion(): HostQuestion {
  return {
    name: "get the instance metadata",
    method: "GET",
    target: "/metadata/instance?api-version=2018-02-01",
    extraHeaders: [[METADATA_HEADER, "true"]],
    body: null,
    success: "2xx",
  };
}

/** Row 7; never signed. */
export function telemetryQuestion(payload: Uint8Array): HostQuestion {
  return {
    name: "send telemetry",
    method: "POST",
    target: "/machine/?comp=telemetrydata",
    extraHeaders: [WIRE_VERSION, ["content-type", "text/xml; charset=utf-8"]],
    body: payload,
    success: "2xx",
    statusOnly: true,
  };
}

/** Row 8: what the command line asks a running agent. `tick` is in unix nanoseconds. */
export function provisionQuestion(tick: bigint, notify: boolean): HostQuestion {
  const extraHeaders: HeaderField[] = [
    [METADATA_HEADER, "true"],
    [TIME_TICK_HEADER, String(tick)],
  ];
  if (notify) extraHeaders.push([NOTIFY_HEADER, "true"]);
  return {
    name: "query the provision state",
    method: "GET",
    target: "/provision",
    extraHeaders,
    body: null,
    success: "2xx",
  };
}

/** The longest wait that a host may ask for. */
const LONGEST_PAUSE_MS = 3_600_000;

/** How long the host asks to be left alone, milliseconds, an hour at most; `null` when it does not, or not in seconds. */
export function retryAfterMs(headers: readonly HeaderField[]): number | null {
  const seconds = headerValue(headers, "retry-after") ?? "";
  return /^\d{1,9}$/.test(seconds) ? Math.min(Number(seconds) * 1000, LONGEST_PAUSE_MS) : null;
}

/** Whether `status` is a success of this question. */
export function isSuccess(question: HostQuestion, status: number): boolean {
  return question.success === "200" ? status === 200 : status >= 200 && status <= 299;
}
