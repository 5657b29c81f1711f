import {
  type HeaderField,
  headerValue,
  METADATA_HEADER,
  type ProvisionAnswer,
} from "../../domain/wire/mod.ts";
import { type Answer, localAnswer } from "./answer.ts";

/** The two paths that the agent answers itself. */
export interface LocalEndpoints {
  /**
   * `headers` are those of the request, which passed the metadata gate; `uid` is the real user id of whoever asks, `null`
   * where the kernel does not know it. Source: wire-protocol 10.2.
   */
  provision(headers: readonly HeaderField[], uid: number | null): ProvisionAnswer;
  /** Compact JSON. Source: wire-protocol 10.3. */
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
export function hasMetadataHeader(headers: readonly HeaderField[]): boolean {
  return headerValue(headers, METADATA_HEADER) !== null;
}

const JSON_TYPE: HeaderField = Object.freeze(["content-type", "application/json; charset=utf-8"]);

/** A successful answer. Source: wire-protocol 10.1. */
export function jsonAnswer(json: string, method: string, date: string): Answer {
  return localAnswer(200, [JSON_TYPE], json, method, date, false);
}
