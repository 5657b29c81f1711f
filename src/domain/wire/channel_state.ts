import type { EndpointName } from "./endpoints.ts";
import { type KeyStatus, type Mode, STATUS_VERSION_2 } from "./key_status.ts";

/** The channel state before the first successful poll. */
export const CHANNEL_UNKNOWN = "Unknown";
/** The channel state when the host does not enforce. */
export const CHANNEL_DISABLED = "disabled";

/** The mode of each endpoint. */
export type EndpointModes = Readonly<Record<EndpointName, Mode>>;

/**
 * The secure-channel state as the status document words it and as changes are noticed.
 * The two blanks before `IMDS` belong to it. Source: wire-protocol 3.4.
 */
export function channelState(status: KeyStatus): string {
  if (status.version !== STATUS_VERSION_2) {
    return status.secureChannelState?.toLowerCase() ?? CHANNEL_DISABLED;
  }
  const rules = status.authorizationRules;
  if (status.secureChannelEnabled !== true || rules === null) return CHANNEL_DISABLED;
  const wireServer = MODE_LABELS[rules.wireserver?.mode ?? "disabled"];
  const imds = MODE_LABELS[rules.imds?.mode ?? "disabled"];
  return `WireServer ${wireServer} -  IMDS ${imds} - HostGA ${wireServer}`;
}

/** Whether a key is to be held in this state: neither disabled nor unknown. Source: wire-protocol 3.4. */
export function isLatchedState(state: string): boolean {
  return state !== CHANNEL_DISABLED && state !== CHANNEL_UNKNOWN;
}

/**
 * What happens to the traffic of each endpoint: redirected unless disabled.
 * DEVIATION D-09: with the channel not enabled everything is disabled, whatever the items say.
 * DEVIATION D-04: HostGAPlugin follows WireServer.
 * Source: wire-protocol 3.4 and S-11.
 */
export function endpointModes(status: KeyStatus): EndpointModes {
  if (status.version !== STATUS_VERSION_2) return modesOfState(channelState(status));
  if (status.secureChannelEnabled !== true) return modes("disabled", "disabled");
  const rules = status.authorizationRules;
  return modes(rules?.wireserver?.mode ?? "disabled", rules?.imds?.mode ?? "disabled");
}

/** The raw rule ids as the status document shows them; `""` for none. Source: wire-protocol 10.3. */
export function ruleIds(status: KeyStatus): { readonly wireserver: string; readonly imds: string } {
  const rules = status.authorizationRules;
  return { wireserver: rules?.wireserver?.id ?? "", imds: rules?.imds?.id ?? "" };
}

/** One line for the log; a poll is worth an event only when this text changes. Source: agent 1.5 step 5. */
export function summaryText(status: KeyStatus): string {
  const { wireserver, imds } = endpointModes(status);
  return `authorizationScheme: ${status.authorizationScheme}, ` +
    `keyDeliveryMethod: ${status.keyDeliveryMethod}, keyGuid: ${status.keyGuid ?? "None"}, ` +
    `secureChannelState: ${channelState(status)}, version: ${status.version}, ` +
    `WireServerMode: ${wireserver}, IMDSMode: ${imds}`;
}

const MODE_LABELS: Readonly<Record<Mode, string>> = Object.freeze({
  disabled: "Disabled",
  audit: "Audit",
  enforce: "Enforce",
});

function modesOfState(state: string): EndpointModes {
  if (state === "wireserver") return modes("enforce", "audit");
  if (state === "wireserverandimds") return modes("enforce", "enforce");
  return modes("disabled", "disabled");
}

function modes(wireserver: Mode, imds: Mode): EndpointModes {
  return Object.freeze({ wireserver, imds, hostga: wireserver });
}
