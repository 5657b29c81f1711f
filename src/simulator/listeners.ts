import { createServer, type Server, type Socket } from "node:net";
import type { EndpointName, SocketAddress } from "../domain/wire/endpoints.ts";
import { AgentError } from "../runtime/errors.ts";
import type { SimulatedHost } from "./host.ts";
import { HostConnection } from "./host_connection.ts";

/** Connections that one endpoint serves at a time; more are closed at once. */
const MAX_CONNECTIONS = 20_000;

/** A bound endpoint of the simulated host. */
export interface EndpointListener {
  readonly address: SocketAddress;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/**
 * Serves one endpoint on `at`; port 0 takes a free one.
 * node:net rather than the runtime's own listener, because it is the one that can reset a connection.
 * @throws AgentError LISTENER_BIND
 */
export async function listenAs(
  endpoint: EndpointName,
  at: SocketAddress,
  host: SimulatedHost,
): Promise<EndpointListener> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (sockets.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    new HostConnection(socket, endpoint, host);
  });
  await bind(server, at);
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : at.port;
  return {
    address: { address: at.address, port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function bind(server: Server, at: SocketAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new AgentError("LISTENER_BIND", `listen on \`${at.address}:${at.port}\``, { cause }),
      ));
    server.listen({ host: at.address, port: at.port, backlog: 1024 }, () => resolve());
  });
}
