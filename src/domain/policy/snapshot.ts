import type { EndpointName } from "../wire/endpoints.ts";
import type { Mode } from "../wire/key_status.ts";
import type { CompiledItem } from "./compile.ts";
import type { Matching } from "./question.ts";

export type { Mode };

/**
 * The policy of one endpoint. `built-in`: no rules installed, the platform's defaults decide. `rules`: the rules decide, after
 * the demand for an elevated caller. `closed`: nothing may pass where the mode enforces, because the rules of this endpoint
 * could not be read.
 */
export type EndpointPolicy =
  | { readonly kind: "built-in"; readonly mode: Mode }
  | { readonly kind: "rules"; readonly mode: Mode; readonly rules: CompiledItem }
  | { readonly kind: "closed"; readonly mode: Mode; readonly reason: string };

/** All policies of one moment. Never edited, replaced as a whole. A request uses exactly one. */
export interface PolicySnapshot {
  /** Grows by one with each installation. */
  readonly epoch: number;
  /** SHA-256, hex, of the effective documents: how a change is noticed. */
  readonly digest: string;
  /** Which matcher's verdict counts, for all endpoints. */
  readonly matching: Matching;
  readonly endpoints: Readonly<Record<EndpointName, EndpointPolicy>>;
}
