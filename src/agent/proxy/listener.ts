import type { SocketAddress } from "../../domain/wire/mod.ts";
import type { RequestInfo, ServerFacts } from "./pipeline.ts";

/** Serves one request; never throws. */
export type Handler = (
  request: Request,
  info: RequestInfo,
  server: ServerFacts,
) => Response | Promise<Response>;

/** A server that accepts connections. */
export interface Listener {
  /** Where it really listens; the port is the system's choice when 0 was asked for. */
  readonly address: SocketAddress;
  /** Settles when the server has ended, for whatever reason. */
  readonly finished: Promise<void>;
  /**
   * Stops accepting, closes what is idle and waits for running requests, for ever if need be. The server's own way to break
   * requests off throws once this was called; whoever cannot wait leaves them to the end of the process.
   */
  stop(): Promise<void>;
}

/**
 * Opens the listener. The only place that knows which server this is; what it does differently from what the protocol
 * asks for, and how that is met, is told in docs/adr/0004-listener.md.
 *
 * @throws Deno.errors.AddrInUse and other bind errors
 */
export function openListener(at: SocketAddress, backlog: number, handler: Handler): Listener {
  const traits = serverTraits(Deno.version.deno);
  let server: ServerFacts = { ...traits, ownAuthority: `localhost:${at.port}` };
  const http = Deno.serve({
    hostname: at.address,
    port: at.port,
    tcpBacklog: backlog,
    onListen: () => {},
    // The handler does not throw. What comes here is a stream that broke off: its connection is being closed already.
    onError: () => new Response(null, { status: 500 }),
  }, (request, info) => handler(request, info, server));
  const { port } = http.addr;
  server = { ...traits, ownAuthority: `localhost:${port}` };
  return {
    address: { address: at.address, port },
    finished: http.finished,
    stop: () => http.shutdown(),
  };
}

/** What is known of the server of a Deno version: it was rewritten between 2.7 and 2.9. */
export function serverTraits(version: string): Pick<ServerFacts, "compresses" | "closesWhenTold"> {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isRewritten = major > 2 || (major === 2 && minor >= 9);
  return { compresses: !isRewritten, closesWhenTold: !isRewritten };
}
