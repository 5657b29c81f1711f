import type { InstanceFacts } from "./instance.ts";
import type { SharedConfig } from "./shared_config.ts";
import type { GenericEvent, StatusEvent, TelemetryEvent } from "./telemetry_event.ts";

/** What the machine says of itself. */
export interface MachineFacts {
  /** Such as `x86_64`. */
  readonly cpuArchitecture: string;
  /** Such as `Linux:Debian GNU/Linux-12`. */
  readonly osVersion: string;
  readonly ramMiB: number;
  readonly processors: number;
}

/** What every event says about the machine. */
export interface VmFacts {
  readonly containerId: string;
  readonly shared: SharedConfig;
  readonly instance: InstanceFacts;
  readonly machine: MachineFacts;
}

/** Which provider an event is reported for. Source: wire-protocol 8.4. */
export type ProviderId =
  | "FFF0196F-EE4C-4EAF-9AA5-776F622DEB4F"
  | "69B669B9-4AF8-4C50-BDC4-6006FA76E975";

/** What stands before and after the providers; 66 bytes. */
export const DOCUMENT_START = '<?xml version="1.0"?><TelemetryData version="1.0">';
export const DOCUMENT_END = "</TelemetryData>";
export const PROVIDER_END = "</Provider>";

const EXECUTION_MODE = "ProxyAgent";
const EVENT_NAME = "MicrosoftAzureGuestProxyAgent";
const MOST_UINT64 = (1n << 64n) - 1n;

/** The provider of an event. */
export function providerOf(event: TelemetryEvent): ProviderId {
  return event.kind === "generic"
    ? "FFF0196F-EE4C-4EAF-9AA5-776F622DEB4F"
    : "69B669B9-4AF8-4C50-BDC4-6006FA76E975";
}

/** What stands before the events of a provider. */
export function providerStart(id: ProviderId): string {
  return `<Provider id="${escapeXml(id)}">`;
}

/** The parameters that begin every event. Source: wire-protocol 8.4, as for all below. */
export function vmParameters(vm: VmFacts): string {
  const { shared, instance, machine } = vm;
  return text("KeywordName", JSON.stringify({ CpuArchitecture: machine.cpuArchitecture })) +
    text("TenantName", shared.tenantName) +
    text("RoleName", shared.roleName) +
    text("RoleInstanceName", shared.roleInstanceName) +
    text("ContainerId", vm.containerId) +
    text("ResourceGroupName", instance.resourceGroupName) +
    text("SubscriptionId", instance.subscriptionId) +
    text("VMId", instance.vmId) +
    number("ImageOrigin", instance.hasOffer ? 1n : 0n) +
    text("OSVersion", machine.osVersion) +
    number("RAM", BigInt(machine.ramMiB)) +
    number("Processors", BigInt(machine.processors));
}

/** One event as XML. `redact` takes secrets out of its message; `vm` is what `vmParameters` gave. */
export function eventXml(
  event: TelemetryEvent,
  vm: string,
  redact: (text: string) => string,
): string {
  const [id, parameters] = event.kind === "generic"
    ? ["7", genericParameters(event, redact)]
    : ["1", statusParameters(event, redact)];
  return `<Event id="${id}"><![CDATA[${vm}${parameters}]]></Event>`;
}

function genericParameters(event: GenericEvent, redact: (text: string) => string): string {
  return commonParameters(event) +
    text("EventName", EVENT_NAME) +
    text("CapabilityUsed", event.level) +
    text("Context1", redact(event.message)) +
    text("Context2", event.timeStamp) +
    text("Context3", event.operation);
}

function statusParameters(event: StatusEvent, redact: (text: string) => string): string {
  return commonParameters(event) +
    text("ExtensionType", event.extensionType) +
    flag("IsInternal", event.isInternal) +
    text("Name", event.name) +
    text("Version", event.version) +
    text("Operation", event.operation) +
    flag("OperationSuccess", event.success) +
    text("Message", redact(event.message)) +
    number("Duration", BigInt(event.duration));
}

function commonParameters(event: TelemetryEvent): string {
  return number("EventPid", uint64(event.pid)) +
    number("EventTid", uint64(event.tid)) +
    text("GAVersion", event.version) +
    text("ExecutionMode", EXECUTION_MODE) +
    text("TaskName", event.task) +
    text("OpcodeName", event.timeStamp);
}

function text(name: string, value: string): string {
  return parameter(name, escapeXml(value), "wstr");
}

function number(name: string, value: bigint): string {
  return parameter(name, String(value), "uint64");
}

function flag(name: string, value: boolean): string {
  return parameter(name, value ? "True" : "False", "bool");
}

function parameter(name: string, value: string, type: "wstr" | "uint64" | "bool"): string {
  return `<Param Name="${name}" Value="${value}" T="mt:${type}" />`;
}

/** Decimal text as a number of 64 bits; 0 for anything else. */
function uint64(digits: string): bigint {
  if (!/^\d{1,20}$/.test(digits)) return 0n;
  const value = BigInt(digits);
  return value > MOST_UINT64 ? 0n : value;
}

const ESCAPES: Readonly<Record<string, string>> = Object.freeze({
  "&": "&amp;",
  "'": "&apos;",
  '"': "&quot;",
  "<": "&lt;",
  ">": "&gt;",
});

/**
 * Text for an attribute inside a CDATA section. DEVIATION D-133: characters that XML does not have (most control characters,
 * lone surrogates) become U+FFFD, because a host that is strict would refuse the whole upload for them.
 */
export function escapeXml(value: string): string {
  return value.toWellFormed()
    // deno-lint-ignore no-control-regex
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&'"<>]/g, (character) => ESCAPES[character] ?? character);
}
