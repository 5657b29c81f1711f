import type { SocketAddress } from "../../domain/wire/mod.ts";
import { AgentError, type ErrorCode } from "../../runtime/errors.ts";
import type { Http1Fault } from "../http1/mod.ts";

/** A failure on the way to the host. `what` says what was attempted. */
export function upstreamError(
  code: Extract<ErrorCode, `UPSTREAM_${string}`>,
  what: string,
  destination: SocketAddress,
  cause?: unknown,
): AgentError {
  return new AgentError(code, `${what} \`${destination.address}:${destination.port}\``, { cause });
}

/** The host answered with something that is no HTTP/1.1 response. */
export function protocolError(fault: Http1Fault, destination: SocketAddress): AgentError {
  return new AgentError(
    fault === "TRUNCATED" ? "UPSTREAM_CLOSED" : "UPSTREAM_PROTOCOL",
    `read a response of \`${destination.address}:${destination.port}\``,
    { detail: { fault } },
  );
}

/**
 * A connection that had been kept open turned out to be closed: not one byte of an answer came. Code UPSTREAM_CLOSED.
 * Whether the host saw the request is not known, so only requests that may be repeated are sent again.
 */
export class StaleConnectionError extends AgentError {
  constructor(destination: SocketAddress, cause?: unknown) {
    super(
      "UPSTREAM_CLOSED",
      `use a connection kept open to \`${destination.address}:${destination.port}\``,
      { cause },
    );
  }
}
