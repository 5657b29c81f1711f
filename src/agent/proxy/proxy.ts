import type { ConnectionRecord } from "../../domain/identity/mod.ts";
import type { SocketAddress } from "../../domain/wire/mod.ts";
import { Backoff, DEFAULT_BACKOFF } from "../../runtime/backoff.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import { Sweeper } from "../../runtime/sweeper.ts";
import { BufferPool } from "./buffer_pool.ts";
import { ClientConnection, type CutReason, type RequestServer } from "./client_connection.ts";
import { PROXY_LIMITS, type ProxyLimits } from "./limits.ts";
import { type Accepted, type Listener, openListener } from "./listener.ts";
import { Pipeline, type PipelineParts } from "./pipeline.ts";

export interface ProxyOptions extends PipelineParts {
  /** Numbers from 0 up to but not including 1, for the waits between attempts to listen. */
  readonly random: () => number;
  readonly limits?: Partial<ProxyLimits>;
  /** How the listener is opened; `openListener` unless a test says otherwise. */
  readonly listen?: typeof openListener;
}

/** How long nothing is accepted after the system could not: it is short of descriptors or memory. */
const ACCEPT_PAUSE_MS = 100;

/** The listener with everything behind it. Listens for the life of the process, however often binding fails. */
export class Proxy implements Part {
  readonly name = "proxy-listener";
  readonly #options: ProxyOptions;
  #limits: ProxyLimits;
  readonly #sweeper: Sweeper;
  readonly #pipeline: Pipeline;
  readonly #server: RequestServer;
  readonly #buffers = new BufferPool();
  readonly #connections = new Set<ClientConnection>();
  readonly #cut: Record<CutReason, number> = {
    "head-not-complete": 0,
    idle: 0,
    "answer-not-taken": 0,
  };
  /** Called when the last connection is closed. */
  #whenEmpty: () => void = () => {};
  #address: SocketAddress | null = null;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#limits = { ...PROXY_LIMITS, ...options.limits };
    this.#sweeper = new Sweeper(options.clock, this.#limits.sweepMs);
    const pipeline = this.#pipeline = new Pipeline(options);
    this.#server = {
      serve: (connection, head) => pipeline.serve(connection, head),
      isGone: (connection) => pipeline.isGone(connection),
      closed: (connection) => this.#closed(connection),
      cut: (reason) => void this.#cut[reason]++,
    };
  }

  /** Where it listens now; `null` while it does not. */
  get address(): SocketAddress | null {
    return this.#address;
  }

  /** Requests since the start. */
  get requestCount(): number {
    return this.#pipeline.requests;
  }

  /** Open connections. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** The kernel's records of the open connections that a process made. At most `limit`. */
  connectionsOf(pid: number, limit: number): ConnectionRecord[] {
    const records: ConnectionRecord[] = [];
    for (const { attribution } of this.#connections) {
      if (records.length >= limit) break;
      if (attribution?.kind !== "redirected") continue;
      if (attribution.record.process.tgid === pid) records.push(attribution.record);
    }
    return records;
  }

  /** Changes how long connections may keep the agent waiting; those that are open keep what they began with. */
  setTimeLimits(limits: Pick<ProxyLimits, "headMs" | "idleMs">): void {
    this.#limits = { ...this.#limits, ...limits };
  }

  /** Connections cut since the start, by reason. */
  get cut(): Readonly<Record<CutReason, number>> {
    return this.#cut;
  }

  /** Listens until `signal` fires, then lets running requests end. @throws AgentError LISTENER_BIND when the listener breaks */
  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const listener = await this.#bind(signal, health);
    if (listener === null) return;
    const { address, port } = this.#address = listener.address;
    this.#reportListening(health);
    const stop = () => listener.close();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      await this.#acceptAll(listener, signal, health);
      await this.#drain();
    } finally {
      signal.removeEventListener("abort", stop);
      listener.close();
      this.#address = null;
      if (signal.aborted) this.#sweeper.close();
      health.report("STOPPED", "not-listening", `does not listen on ${address}:${port}`);
    }
  }

  /** Accepts until the listener is closed, whatever the system is short of meanwhile. */
  async #acceptAll(listener: Listener, signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { logger, clock } = this.#options;
    const { address, port } = listener.address;
    for (let isFailing = false;;) {
      try {
        const accepted = await listener.accept();
        if (accepted === null) return;
        if (isFailing) this.#reportListening(health);
        isFailing = false;
        this.#welcome(accepted);
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) {
          throw new AgentError("LISTENER_BIND", `accept on \`${address}:${port}\``, {
            cause: error,
          });
        }
        if (!isFailing) {
          const text = error instanceof Error ? error.message : String(error);
          const message = `cannot accept on ${address}:${port}: ${text}`;
          health.report("STOPPED", "accept-failed", message);
          logger.warn("connections are not accepted", { address, port, error: text });
        }
        isFailing = true;
        await clock.sleep(ACCEPT_PAUSE_MS, signal);
      }
    }
  }

  /** In the sentence that operators and tests of this product family look for. Source: agent 4.2, 8.3. */
  #reportListening(health: HealthReporter): void {
    const elapsedMs = Math.round(this.#options.clock.monotonicMs());
    const message = `Started proxy listener, ready to accept request - ${elapsedMs}`;
    health.report("RUNNING", "listening", message);
  }

  #welcome({ peer, socket }: Accepted): void {
    const connection = new ClientConnection({
      peer,
      socket,
      server: this.#server,
      limits: this.#limits,
      sweeper: this.#sweeper,
      buffers: this.#buffers,
    });
    this.#connections.add(connection);
    this.#pipeline.connected(connection);
    connection.start();
  }

  #closed(connection: ClientConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#whenEmpty();
  }

  /** Lets requests that are being served end, for a while; then breaks off what is left. */
  async #drain(): Promise<void> {
    const { clock, logger } = this.#options;
    const ended = new AbortController();
    this.#whenEmpty = () => ended.abort();
    for (const connection of [...this.#connections]) connection.drain();
    if (this.#connections.size > 0) await clock.sleep(this.#limits.drainMs, ended.signal);
    if (this.#connections.size === 0) return;
    logger.warn("requests were still running at the stop", { count: this.#connections.size });
    for (const connection of [...this.#connections]) connection.close();
  }

  /** Tries until it works or `signal` fires, in which case it returns `null`. */
  async #bind(signal: AbortSignal, health: HealthReporter): Promise<Listener | null> {
    const { clock, endpoints, logger, random } = this.#options;
    const { address, port } = endpoints.listener;
    const backoff = new Backoff(DEFAULT_BACKOFF, random);
    while (!signal.aborted) {
      try {
        return (this.#options.listen ?? openListener)(endpoints.listener, this.#limits.backlog);
      } catch (error) {
        const isTaken = error instanceof Deno.errors.AddrInUse;
        const message = isTaken
          ? `port ${port} of ${address} is taken by another process; find it with: ss -ltnp 'sport = :${port}'`
          : `cannot listen on ${address}:${port}: ${error instanceof Error ? error.message : ""}`;
        health.report("STOPPED", isTaken ? "port-taken" : "bind-failed", message);
        logger.warn("listener not bound", { address, port, taken: isTaken });
        await clock.sleep(backoff.next(), signal);
      }
    }
    return null;
  }
}
