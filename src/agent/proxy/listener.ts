import type { SocketAddress } from "../../domain/wire/mod.ts";
import type { ClientSocket } from "./client_connection.ts";

/** An accepted connection. */
export interface Accepted {
  readonly socket: ClientSocket;
  readonly peer: SocketAddress;
}

/** A socket that accepts connections. */
export interface Listener {
  /** Where it really listens; the port is the system's choice when 0 was asked for. */
  readonly address: SocketAddress;
  /** The next connection; `null` once the listener was closed. @throws what the system says, such as a want of descriptors */
  accept(): Promise<Accepted | null>;
  /** Stops accepting. Connections that were accepted live on. */
  close(): void;
}

/**
 * Opens the listener.
 *
 * @param backlog connections that may wait to be accepted; the system has its own maximum
 * @throws Deno.errors.AddrInUse and other bind errors
 */
export function openListener(at: SocketAddress, backlog: number): Listener {
  // The runtime takes the backlog here as it does for its HTTP server; only the type does not say so.
  const options: Deno.TcpListenOptions & { readonly tcpBacklog: number } = {
    hostname: at.address,
    port: at.port,
    tcpBacklog: backlog,
  };
  const listener = Deno.listen(options);
  let isClosed = false;
  return {
    address: { address: at.address, port: listener.addr.port },
    async accept(): Promise<Accepted | null> {
      for (;;) {
        try {
          const socket = await listener.accept();
          const { hostname, port } = socket.remoteAddr;
          return { socket, peer: { address: hostname, port } };
        } catch (error) {
          if (isClosed) return null;
          if (!hasLeft(error)) throw error;
        }
      }
    },
    close(): void {
      if (isClosed) return;
      isClosed = true;
      listener.close();
    },
  };
}

/** Whether accepting failed because the peer broke the connection off before it was accepted. */
function hasLeft(error: unknown): boolean {
  return error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionReset;
}
