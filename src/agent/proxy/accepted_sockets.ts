import type { SocketAddress } from "../../domain/wire/endpoints.ts";

/** One accepted connection of the listener, as the system sees it at the moment of a scan. */
export interface AcceptedSocket {
  readonly peer: SocketAddress;
  /** Bytes of the peer that have arrived since the connection was accepted, read by anybody or not. */
  readonly bytesReceived: number;
  /**
   * Ends both directions of this very connection; the server then closes it as if the peer had left.
   * Valid until the next slice is asked for. Returns false when the connection was gone already.
   */
  shut(): boolean;
}

/**
 * The listener's connections, seen from outside the server that accepted them: it has no time limits of its own and
 * tells nobody which connections it holds.
 */
export interface AcceptedSockets {
  /**
   * Visits every accepted connection of the listener once, in slices that take at most about 2 ms each, so that
   * thousands of silent connections never hold up a request. Between slices other work runs. Connections that come or go
   * meanwhile may or may not be seen. Ends early, without an error, when `signal` fires.
   */
  scan(signal: AbortSignal): AsyncIterable<readonly AcceptedSocket[]>;
}
