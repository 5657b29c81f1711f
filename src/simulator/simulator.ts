import { ENDPOINTS, type SocketAddress } from "../domain/wire/endpoints.ts";
import { AgentError } from "../runtime/errors.ts";
import { controlApp } from "./control.ts";
import { DEFAULT_HOST_OPTIONS, type HostOptions, SimulatedHost } from "./host.ts";
import { type EndpointListener, listenAs } from "./listeners.ts";

/** Where the control interface listens. */
export type ControlAddress = SocketAddress | { readonly unixPath: string };

/** Where the simulator's parts listen. Port 0 takes a free one. */
export interface SimulatorAddresses {
  readonly wireserver: SocketAddress;
  readonly hostga: SocketAddress;
  readonly imds: SocketAddress;
  /** `null`: no control interface; the program that started the simulator holds `host`. */
  readonly control: ControlAddress | null;
}

/** The platform's own addresses, and a control interface for this machine only. */
export const DEFAULT_ADDRESSES: SimulatorAddresses = Object.freeze({
  wireserver: ENDPOINTS.wireserver,
  hostga: ENDPOINTS.hostga,
  imds: ENDPOINTS.imds,
  control: Object.freeze({ address: "127.0.0.1", port: 3081 }),
});

/** A simulated host that is listening. */
export interface Simulator extends AsyncDisposable {
  /** Its state and rules, for the program that started it. */
  readonly host: SimulatedHost;
  /** Where its parts really listen. */
  readonly addresses: SimulatorAddresses;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/**
 * Starts a simulated host. Nothing is left listening when a part cannot be bound.
 * @throws AgentError LISTENER_BIND
 */
export async function startSimulator(
  addresses: SimulatorAddresses = DEFAULT_ADDRESSES,
  options: Partial<HostOptions> = {},
): Promise<Simulator> {
  const host = new SimulatedHost({ ...DEFAULT_HOST_OPTIONS, ...options });
  const open: Pick<EndpointListener, "close">[] = [];
  const close = async () => {
    await Promise.all(open.splice(0).map((listener) => listener.close()));
  };
  try {
    const listen = async (endpoint: "wireserver" | "hostga" | "imds") => {
      const listener = await listenAs(endpoint, addresses[endpoint], host);
      open.push(listener);
      return listener.address;
    };
    const wireserver = await listen("wireserver");
    const hostga = await listen("hostga");
    const imds = await listen("imds");
    host.site = wireserver;
    const control = addresses.control === null ? null : listenForControl(host, addresses.control);
    if (control !== null) open.push(control);
    return {
      host,
      addresses: { wireserver, hostga, imds, control: control?.address ?? null },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function listenForControl(
  host: SimulatedHost,
  at: ControlAddress,
): { address: ControlAddress; close(): Promise<void> } {
  const app = controlApp(host);
  const onListen = () => {};
  try {
    if ("unixPath" in at) {
      const server = Deno.serve({ path: at.unixPath, onListen }, app.fetch);
      const close = async () => {
        await server.shutdown();
        await Deno.remove(at.unixPath).catch(() => {});
      };
      return { address: at, close };
    }
    const server = Deno.serve({ hostname: at.address, port: at.port, onListen }, app.fetch);
    const address = { address: at.address, port: server.addr.port };
    return { address, close: () => server.shutdown() };
  } catch (cause) {
    const shown = "unixPath" in at ? at.unixPath : `${at.address}:${at.port}`;
    throw new AgentError("LISTENER_BIND", `listen for control on \`${shown}\``, { cause });
  }
}
