import type { SocketAddress } from "../../domain/wire/mod.ts";
import { Backoff, DEFAULT_BACKOFF } from "../../runtime/backoff.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import { Sweeper } from "../../runtime/sweeper.ts";
import type { AcceptedSockets } from "./accepted_sockets.ts";
import { Connections } from "./connections.ts";
import { PROXY_LIMITS, type ProxyLimits } from "./limits.ts";
import { type Listener, openListener } from "./listener.ts";
import { Pipeline, type PipelineParts } from "./pipeline.ts";
import { Reaper } from "./reaper.ts";

export interface ProxyOptions extends Omit<PipelineParts, "limits" | "connections" | "sweeper"> {
  readonly acceptedSockets: AcceptedSockets;
  /** Numbers from 0 up to but not including 1, for the waits between attempts to listen. */
  readonly random: () => number;
  readonly limits?: Partial<ProxyLimits>;
}

/** The listener with everything behind it. Listens for the life of the process, however often binding fails. */
export class Proxy implements Part {
  readonly name = "proxy-listener";
  /** Cuts connections that take too long. Runs beside this part. */
  readonly reaper: Reaper;
  readonly #options: ProxyOptions;
  readonly #limits: ProxyLimits;
  readonly #sweeper: Sweeper;
  readonly #pipeline: Pipeline;
  #address: SocketAddress | null = null;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#limits = { ...PROXY_LIMITS, ...options.limits };
    this.#sweeper = new Sweeper(options.clock, this.#limits.sweepMs);
    const connections = new Connections(this.#limits.connections);
    this.#pipeline = new Pipeline({
      ...options,
      limits: this.#limits,
      connections,
      sweeper: this.#sweeper,
    });
    this.reaper = new Reaper(
      options.acceptedSockets,
      connections,
      options.clock,
      this.#limits,
      options.logger,
    );
  }

  /** Where it listens now; `null` while it does not. */
  get address(): SocketAddress | null {
    return this.#address;
  }

  /** Requests since the start. */
  get requestCount(): number {
    return this.#pipeline.requests;
  }

  /** Listens until `signal` fires, then lets running requests end. @throws AgentError LISTENER_BIND when the server ends by itself */
  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const listener = await this.#bind(signal, health);
    if (listener === null) return;
    const { address, port } = this.#address = listener.address;
    health.report("RUNNING", "listening", `listens on ${address}:${port}`);
    try {
      await Promise.race([listener.finished, aborted(signal)]);
      if (!signal.aborted) {
        throw new AgentError("LISTENER_BIND", `serve on \`${address}:${port}\``);
      }
      await this.#drain(listener);
    } finally {
      this.#address = null;
      if (signal.aborted) this.#sweeper.close();
      health.report("STOPPED", "not-listening", `does not listen on ${address}:${port}`);
    }
  }

  async #drain(listener: Listener): Promise<void> {
    const { clock, logger } = this.#options;
    const ended = new AbortController();
    const stopped = listener.stop().then(() => ended.abort());
    await Promise.race([stopped, clock.sleep(this.#limits.drainMs, ended.signal)]);
    if (!ended.signal.aborted) logger.warn("requests were still running at the stop");
  }

  /** Tries until it works or `signal` fires, in which case it returns `null`. */
  async #bind(signal: AbortSignal, health: HealthReporter): Promise<Listener | null> {
    const { clock, endpoints, logger, random } = this.#options;
    const { address, port } = endpoints.listener;
    const backoff = new Backoff(DEFAULT_BACKOFF, random);
    while (!signal.aborted) {
      try {
        return openListener(
          endpoints.listener,
          this.#limits.backlog,
          (request, info, server) => this.#pipeline.handle(request, info, server),
        );
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

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
