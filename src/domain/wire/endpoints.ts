/** The three services of the host that the agent guards. */
export type EndpointName = "wireserver" | "hostga" | "imds";

/** An IPv4 address (dotted quad) and a port. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** Where the endpoints and the listener are. A value, injected by the program, so that tests move them. */
export interface EndpointMap {
  readonly wireserver: SocketAddress;
  readonly hostga: SocketAddress;
  readonly imds: SocketAddress;
  readonly listener: SocketAddress;
}

/** The addresses of the platform. Source: wire-protocol 1.1. */
export const ENDPOINTS: EndpointMap = Object.freeze({
  wireserver: Object.freeze({ address: "168.63.129.16", port: 80 }),
  hostga: Object.freeze({ address: "168.63.129.16", port: 32526 }),
  imds: Object.freeze({ address: "169.254.169.254", port: 80 }),
  listener: Object.freeze({ address: "127.0.0.1", port: 3080 }),
});

/** All endpoint names, in the order in which the host's documents list them. */
export const ENDPOINT_NAMES: readonly EndpointName[] = Object.freeze([
  "wireserver",
  "imds",
  "hostga",
]);

/** What a destination is to the agent. */
export type DestinationKind = EndpointName | "listener" | "unknown";

/**
 * Which endpoint an address is; `listener` for the agent itself and `unknown` for anything else.
 * DEVIATION D-06: an unknown destination is refused by whoever asks. Source: wire-protocol 9.4 and S-22.
 */
export function destinationKind(address: SocketAddress, endpoints: EndpointMap): DestinationKind {
  if (sameAddress(address, endpoints.imds)) return "imds";
  if (sameAddress(address, endpoints.wireserver)) return "wireserver";
  if (sameAddress(address, endpoints.hostga)) return "hostga";
  return sameAddress(address, endpoints.listener) ? "listener" : "unknown";
}

function sameAddress(left: SocketAddress, right: SocketAddress): boolean {
  return left.port === right.port && left.address === right.address;
}
