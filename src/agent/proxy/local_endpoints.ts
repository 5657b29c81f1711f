import { METADATA_HEADER, NOTIFY_HEADER, TIME_TICK_HEADER } from "../../domain/wire/mod.ts";

/** What a caller of `/provision` wants to know. */
export interface ProvisionQuery {
  /** Unix nanoseconds; `null` when the field is absent or is no number. */
  readonly tick: bigint | null;
  /** Whether the caller asks for a poll of the host. */
  readonly notify: boolean;
}

/** The two paths that the agent answers itself. Both return compact JSON. */
export interface LocalEndpoints {
  /** Source: wire-protocol 10.2. */
  provision(query: ProvisionQuery): string;
  /** Source: wire-protocol 10.3. */
  aggregatedStatus(): string;
}

export type LocalEndpointName = "provision" | "aggregated-status";

/** Which of the two a target means; `null` for neither. An empty query is tolerated. Source: wire-protocol 9.2 steps 4 and 5. */
export function localEndpointOf(target: string): LocalEndpointName | null {
  switch (target) {
    case "/provision":
    case "/provision?":
      return "provision";
    case "/gpa-aggregated-status":
    case "/gpa-aggregated-status?":
      return "aggregated-status";
    default:
      return null;
  }
}

/** Whether the gate of both is open: the field is there, with any value. Source: wire-protocol 10.1. */
export function hasMetadataHeader(headers: Headers): boolean {
  return headers.has(METADATA_HEADER);
}

export function provisionQuery(headers: Headers): ProvisionQuery {
  const text = headers.get(TIME_TICK_HEADER)?.trim() ?? "";
  return {
    // 39 digits are a 128-bit number; longer text is no time.
    tick: /^[+-]?\d{1,39}$/.test(text) ? BigInt(text.replace("+", "")) : null,
    notify: headers.has(NOTIFY_HEADER),
  };
}

const ENCODER = new TextEncoder();

/** A successful answer. */
export function jsonResponse(json: string): Response {
  return new Response(ENCODER.encode(json), {
    headers: [["content-type", "application/json; charset=utf-8"]],
  });
}
