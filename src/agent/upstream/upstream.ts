import { type Forwardable, isForwardable } from "../../domain/endorsement/mod.ts";
import type { SocketAddress } from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Sweeper } from "../../runtime/sweeper.ts";
import { encodeChunk, encodeRequestMessage } from "../http1/mod.ts";
import { StaleConnectionError, upstreamError } from "./errors.ts";
import type { HostSocket, OnSlow, OutgoingMessage } from "./host_connection.ts";
import { UPSTREAM_LIMITS, type UpstreamLimits } from "./limits.ts";
import { type DialHost, Pool, type PoolReport } from "./pool.ts";
import type { UpstreamResponse } from "./response.ts";

export interface UpstreamOptions {
  readonly clock: Clock;
  readonly limits?: Partial<UpstreamLimits>;
  /** How connections are opened; `dialHost` unless a test says otherwise. */
  readonly dial?: DialHost;
}

/** The destinations are the host's few endpoints; more than this would be a fault of ours. */
const MAX_DESTINATIONS = 16;

/** Methods that may be repeated when it is not known whether the host saw the first. Source: RFC 9110 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]);

/** Opens a plain TCP connection whose small writes are not held back. */
export const dialHost: DialHost = async (to, signal): Promise<HostSocket> => {
  const connection = await Deno.connect({ hostname: to.address, port: to.port, signal });
  connection.setNoDelay(true);
  return connection;
};

/** Forwards endorsed requests to the host and returns its answers. */
export class Upstream {
  readonly #limits: UpstreamLimits;
  readonly #dial: DialHost;
  readonly #sweeper: Sweeper;
  readonly #pools: Pool[] = [];
  #isClosed = false;

  constructor(options: UpstreamOptions) {
    this.#limits = { ...UPSTREAM_LIMITS, ...options.limits };
    this.#dial = options.dial ?? dialHost;
    this.#sweeper = new Sweeper(options.clock, this.#limits.sweepMs);
  }

  /**
   * Sends `request` and returns the answer as soon as its head is complete. A connection is opened only now, for a
   * request that is permitted and endorsed. When the answer takes long, `onSlow` is called once with a way to give up.
   *
   * A request is sent again, once and on a fresh connection, when the kept-alive one it was written to had been closed:
   * not a byte of an answer came, its method may be repeated and its body is at hand.
   *
   * @throws TypeError when `request` was not made by `endorse()` or `exempt()`: nothing else may ever leave
   * @throws AgentError UPSTREAM_CONNECT, UPSTREAM_TIMEOUT, UPSTREAM_CLOSED (StaleConnectionError among them), UPSTREAM_PROTOCOL
   * @throws whatever the request's body stream fails with
   */
  forward(request: Forwardable, onSlow: OnSlow | null = null): Promise<UpstreamResponse> {
    if (!isForwardable(request)) {
      return Promise.reject(new TypeError("only an endorsed or exempted request may be forwarded"));
    }
    let message: OutgoingMessage;
    try {
      message = outgoing(request);
    } catch (error) {
      return Promise.reject(error);
    }
    const pool = this.#poolOf(request.destination);
    if (pool === null) {
      return Promise.reject(upstreamError("UPSTREAM_CLOSED", "connect to", request.destination));
    }
    const pooled = pool.takeIdle();
    const answer = pooled === null
      ? acquireAndSend(pool, message, onSlow)
      : pooled.exchange(message, onSlow);
    if (message.stream !== null || !IDEMPOTENT.has(message.method)) return answer;
    return answer.catch((error) => {
      if (error instanceof StaleConnectionError) return acquireAndSend(pool, message, onSlow);
      throw error;
    });
  }

  /** What is open and waiting, for status and metrics. */
  report(): readonly PoolReport[] {
    return this.#pools.map((pool) => pool.report);
  }

  /** Breaks everything off. Later requests fail with UPSTREAM_CLOSED. */
  close(): void {
    this.#isClosed = true;
    this.#sweeper.close();
    for (const pool of this.#pools) pool.close();
  }

  #poolOf(destination: SocketAddress): Pool | null {
    if (this.#isClosed) return null;
    for (const pool of this.#pools) {
      const known = pool.destination;
      if (known.port === destination.port && known.address === destination.address) return pool;
    }
    if (this.#pools.length >= MAX_DESTINATIONS) return null;
    const pool = new Pool(destination, this.#dial, this.#limits, this.#sweeper);
    this.#pools.push(pool);
    return pool;
  }
}

async function acquireAndSend(
  pool: Pool,
  message: OutgoingMessage,
  onSlow: OnSlow | null,
): Promise<UpstreamResponse> {
  const connection = await pool.acquire();
  return await connection.exchange(message, onSlow);
}

function outgoing(request: Forwardable): OutgoingMessage {
  const { method, target, headers, framing, body } = request;
  const stream = body instanceof ReadableStream ? body : null;
  const whole = body instanceof ReadableStream || body === null ? null : body;
  const framed = whole !== null && framing.kind === "chunked" ? encodeChunk(whole, true) : whole;
  const bytes = encodeRequestMessage(method, target, headers, framed);
  return { method, bytes, stream, framing };
}
