import type { EndpointName } from "../wire/endpoints.ts";
import type { Mode } from "../wire/key_status.ts";

export type { Mode };

/**
 * The policy of one endpoint. `built-in`: no rules installed, the platform's defaults decide.
 * `closed`: nothing may pass where the mode enforces, because the rules of this endpoint could not be read.
 */
export type EndpointPolicy =
  | { readonly kind: "built-in"; readonly mode: Mode }
  | { readonly kind: "closed"; readonly mode: Mode; readonly reason: string };

/** All policies of one moment. Deep-frozen; replaced as a whole, never edited. A request uses exactly one. */
export interface PolicySnapshot {
  /** Grows by one with each installation. */
  readonly epoch: number;
  /** SHA-256, hex, of the effective documents: how a change is noticed. */
  readonly digest: string;
  readonly endpoints: Readonly<Record<EndpointName, EndpointPolicy>>;
}
