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
