import { type Forwardable, isForwardable } from "../../domain/endorsement/mod.ts";
import type { SocketAddress } from "../../domain/wire/mod.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Sweeper } from "../../runtime/sweeper.ts";
import { encodeChunk } from "../http1/mod.ts";
import { StaleConnectionError, upstreamError } from "./errors.ts";
import type { Asker, HostSocket, OnSlow, OutgoingMessage } from "./host_connection.ts";
import { UPSTREAM_LIMITS, type UpstreamLimits } from "./limits.ts";
import { type DialHost, Pool, type PoolReport } from "./pool.ts";
import type { TakeAnswer } from "./response.ts";

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
   * Sends `request`, has `take` make something of the answer as soon as its head is complete, and returns that. A
   * connection is opened only now, for a request that is permitted and endorsed. When the answer takes long, `onSlow` is
   * called once with a way to give up.
   *
   * A request is sent again, once and on a fresh connection, when the kept-alive one it was written to had been closed:
   * not a byte of an answer came, its method may be repeated and its body is at hand.
   *
   * @throws TypeError when `request` was not made by `endorse()` or `exempt()`: nothing else may ever leave
   * @throws AgentError UPSTREAM_CONNECT, UPSTREAM_TIMEOUT, UPSTREAM_CLOSED (StaleConnectionError among them), UPSTREAM_PROTOCOL
   * @throws whatever the request's body stream or `take` fails with
   */
  forward<T>(
    request: Forwardable,
    take: TakeAnswer<T>,
    onSlow: OnSlow | null = null,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!isForwardable(request)) {
        throw new TypeError("only an endorsed or exempted request may be forwarded");
      }
      const pool = this.#poolOf(request.destination);
      if (pool === null) {
        throw upstreamError("UPSTREAM_CLOSED", "connect to", request.destination);
      }
      const message = outgoing(request);
      let mayRepeat = !(message.body instanceof ReadableStream) && IDEMPOTENT.has(message.method);
      const asker: Asker = {
        answered: (answer) => {
          try {
            resolve(take(answer));
          } catch (error) {
            if (answer.body instanceof ReadableStream) answer.body.cancel().catch(() => {});
            reject(error);
          }
        },
        failed: (error) => {
          if (!mayRepeat || !(error instanceof StaleConnectionError)) return reject(error);
          mayRepeat = false;
          sendFresh(pool, message, asker, onSlow);
        },
      };
      const pooled = pool.takeIdle();
      if (pooled === null) return sendFresh(pool, message, asker, onSlow);
      try {
        pooled.exchange(message, asker, onSlow);
      } catch (error) {
        pool.released(pooled);
        throw error;
      }
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

/** Waits for a connection and sends on it. */
function sendFresh(
  pool: Pool,
  message: OutgoingMessage,
  asker: Asker,
  onSlow: OnSlow | null,
): void {
  pool.acquire().then((connection) => {
    try {
      connection.exchange(message, asker, onSlow);
    } catch (error) {
      pool.released(connection);
      asker.failed(error);
    }
  }, asker.failed);
}

function outgoing(request: Forwardable): OutgoingMessage {
  const { body, framing } = request;
  if (framing.kind !== "chunked" || body === null || body instanceof ReadableStream) return request;
  const { method, target, headers } = request;
  return { method, target, headers, framing, body: encodeChunk(body, true) };
}
