import type { SocketAddress } from "../../domain/wire/mod.ts";
import type { Sweeper, Watched } from "../../runtime/sweeper.ts";
import { upstreamError } from "./errors.ts";
import { type ConnectionOwner, HostConnection, type HostSocket } from "./host_connection.ts";
import type { UpstreamLimits } from "./limits.ts";

/** Opens a TCP connection; gives up when the signal fires. */
export type DialHost = (to: SocketAddress, signal: AbortSignal) => Promise<HostSocket>;

/** What a pool holds. */
export interface PoolReport {
  readonly destination: SocketAddress;
  /** Connections, those being opened included. */
  readonly live: number;
  readonly idle: number;
  readonly waiting: number;
}

/** The connections to one destination, and the requests that wait for one. */
export class Pool implements ConnectionOwner {
  readonly destination: SocketAddress;
  readonly #dial: DialHost;
  readonly #limits: UpstreamLimits;
  readonly #sweeper: Sweeper;
  readonly #connections = new Set<HostConnection>();
  readonly #dials = new Set<Dialling>();
  /** The one used last is used next, so that spare ones grow old and are closed. */
  readonly #idle: HostConnection[] = [];
  readonly #waiters = new Set<Waiter>();
  #isClosed = false;

  constructor(
    destination: SocketAddress,
    dial: DialHost,
    limits: UpstreamLimits,
    sweeper: Sweeper,
  ) {
    this.destination = destination;
    this.#dial = dial;
    this.#limits = limits;
    this.#sweeper = sweeper;
  }

  get report(): PoolReport {
    return {
      destination: this.destination,
      live: this.#live,
      idle: this.#idle.length,
      waiting: this.#waiters.size,
    };
  }

  /** An idle connection; `null` when there is none. */
  takeIdle(): HostConnection | null {
    return this.#idle.pop() ?? null;
  }

  /**
   * A connection nobody has used before, or one that becomes free while waiting for a place.
   * @throws AgentError UPSTREAM_CONNECT, UPSTREAM_TIMEOUT, UPSTREAM_CLOSED
   */
  acquire(): Promise<HostConnection> {
    if (this.#isClosed) return Promise.reject(this.#error("UPSTREAM_CLOSED", "connect to"));
    if (this.#live < this.#limits.liveConnections) return this.#connect();
    if (this.#waiters.size >= this.#limits.waiting) {
      return Promise.reject(this.#error("UPSTREAM_TIMEOUT", "wait for a connection to"));
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        dueMs: this.#sweeper.nowMs() + this.#limits.waitMs,
        resolve,
        reject,
        expire: () => {
          this.#forget(waiter);
          reject(this.#error("UPSTREAM_TIMEOUT", "wait for a connection to"));
        },
      };
      this.#waiters.add(waiter);
      this.#sweeper.add(waiter);
    });
  }

  released(connection: HostConnection): void {
    const waiter = this.#nextWaiter();
    if (waiter !== null) waiter.resolve(connection);
    else if (this.#idle.length < this.#limits.idleConnections) this.#idle.push(connection);
    else connection.close();
  }

  closed(connection: HostConnection): void {
    this.#connections.delete(connection);
    const at = this.#idle.lastIndexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    this.#admitWaiter();
  }

  /** Breaks everything off. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of [...this.#waiters]) {
      this.#forget(waiter);
      waiter.reject(this.#error("UPSTREAM_CLOSED", "connect to"));
    }
    for (const dialling of [...this.#dials]) dialling.expire();
    for (const connection of [...this.#connections]) connection.close();
  }

  get #live(): number {
    return this.#connections.size + this.#dials.size;
  }

  async #connect(): Promise<HostConnection> {
    const controller = new AbortController();
    const dialling: Dialling = {
      dueMs: this.#sweeper.nowMs() + this.#limits.connectMs,
      expire: () => controller.abort(),
    };
    this.#dials.add(dialling);
    this.#sweeper.add(dialling);
    let socket: HostSocket;
    try {
      socket = await this.#dial(this.destination, controller.signal);
    } catch (error) {
      throw upstreamError(
        controller.signal.aborted && !this.#isClosed ? "UPSTREAM_TIMEOUT" : "UPSTREAM_CONNECT",
        "connect to",
        this.destination,
        error,
      );
    } finally {
      this.#sweeper.remove(dialling);
      this.#dials.delete(dialling);
      this.#admitWaiterLater();
    }
    if (this.#isClosed) {
      socket.close();
      throw this.#error("UPSTREAM_CLOSED", "connect to");
    }
    const connection = new HostConnection(
      this.destination,
      socket,
      this.#limits,
      this.#sweeper,
      this,
    );
    this.#connections.add(connection);
    return connection;
  }

  /** A place became free: the longest waiting request gets it. */
  #admitWaiter(): void {
    if (this.#isClosed || this.#live >= this.#limits.liveConnections) return;
    const waiter = this.#nextWaiter();
    if (waiter !== null) this.#connect().then(waiter.resolve, waiter.reject);
  }

  /** After the code that runs now: a dial that just succeeded becomes a connection first, and keeps its place. */
  #admitWaiterLater(): void {
    if (this.#waiters.size > 0) queueMicrotask(() => this.#admitWaiter());
  }

  #nextWaiter(): Waiter | null {
    for (const waiter of this.#waiters) {
      this.#forget(waiter);
      return waiter;
    }
    return null;
  }

  #forget(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    this.#sweeper.remove(waiter);
  }

  #error(code: "UPSTREAM_CLOSED" | "UPSTREAM_TIMEOUT", what: string): Error {
    return upstreamError(code, what, this.destination);
  }
}

interface Waiter extends Watched {
  resolve(connection: HostConnection): void;
  reject(error: unknown): void;
}

interface Dialling extends Watched {
  expire(): void;
}
