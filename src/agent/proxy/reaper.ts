import type { Clock } from "../../runtime/clock.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { HealthReporter, Part } from "../../runtime/part.ts";
import type { AcceptedSocket, AcceptedSockets } from "./accepted_sockets.ts";
import type { Connection, Connections } from "./connections.ts";
import type { ProxyLimits } from "./limits.ts";

/** Why a connection was cut. */
export type CutReason = "head-not-complete" | "idle" | "told-to-close";

/** How often the reaper looks whether a connection waits to be closed, milliseconds. */
const TICK_MS = 1_000;

/**
 * Gives the server the time limits it lacks, from outside: looks at the accepted sockets every few seconds and shuts those
 * that have gone on for too long. A connection with a request in flight is never cut here; bodies have limits of their own.
 *
 * Whether a silent connection is idle or has sent half a head is told by the bytes that arrived since its last request.
 * Bytes that arrived together with that request's end are not told apart from it, so half a head sent that early counts as
 * idle. Both end.
 */
export class Reaper implements Part {
  readonly name = "connection-reaper";
  readonly #sockets: AcceptedSockets;
  readonly #connections: Connections;
  readonly #clock: Clock;
  readonly #limits: ProxyLimits;
  readonly #logger: Logger;
  #scans = 0;
  readonly #cut: Record<CutReason, number> = {
    "head-not-complete": 0,
    idle: 0,
    "told-to-close": 0,
  };

  constructor(
    sockets: AcceptedSockets,
    connections: Connections,
    clock: Clock,
    limits: ProxyLimits,
    logger: Logger,
  ) {
    this.#sockets = sockets;
    this.#connections = connections;
    this.#clock = clock;
    this.#limits = limits;
    this.#logger = logger;
  }

  /** Connections cut since the start, by reason. */
  get cut(): Readonly<Record<CutReason, number>> {
    return this.#cut;
  }

  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    health.report("RUNNING", "reaper-running", "watches the listener's connections");
    let scannedMs = this.#clock.monotonicMs();
    while (!signal.aborted) {
      await this.#clock.sleep(Math.min(TICK_MS, this.#limits.scanMs), signal);
      const nowMs = this.#clock.monotonicMs();
      if (this.#connections.closing === 0 && nowMs - scannedMs < this.#limits.scanMs) continue;
      scannedMs = nowMs;
      await this.scan(signal);
    }
  }

  /** Looks at every accepted connection once. */
  async scan(signal: AbortSignal): Promise<void> {
    const scan = ++this.#scans;
    const startedMs = this.#clock.monotonicMs();
    for await (const slice of this.#sockets.scan(signal)) {
      const nowMs = this.#clock.monotonicMs();
      for (const socket of slice) {
        const connection = this.#connections.observe(socket.peer, nowMs);
        connection.seenInScan = scan;
        const reason = this.#judge(connection, socket.bytesReceived, nowMs);
        if (reason !== null) this.#shut(socket, connection, reason);
      }
    }
    if (signal.aborted) return; // not all were seen
    for (const connection of this.#connections.all()) {
      const wasThere = connection.firstSeenMs < startedMs && connection.lastEndMs < startedMs;
      if (connection.seenInScan !== scan && connection.inFlight === 0 && wasThere) {
        this.#connections.forget(connection);
      }
    }
  }

  #judge(connection: Connection, bytes: number, nowMs: number): CutReason | null {
    if (connection.inFlight > 0) return null;
    if (connection.closeAtMs <= nowMs) return "told-to-close";
    if (connection.baselineBytes === -1 || bytes < connection.baselineBytes) {
      // What is there before the first request can only be the beginning of it.
      connection.baselineBytes = connection.requests === 0 ? 0 : bytes;
    }
    if (bytes > connection.baselineBytes && connection.partialSinceMs === Infinity) {
      connection.partialSinceMs = nowMs;
    }
    if (nowMs - connection.partialSinceMs >= this.#limits.headMs) return "head-not-complete";
    if (nowMs - connection.lastEndMs >= this.#limits.idleMs) return "idle";
    return null;
  }

  #shut(socket: AcceptedSocket, connection: Connection, reason: CutReason): void {
    this.#connections.forget(connection);
    if (!socket.shut()) return;
    this.#cut[reason]++;
    this.#logger.debug("connection cut", {
      reason,
      address: socket.peer.address,
      port: socket.peer.port,
      bytesReceived: socket.bytesReceived,
    });
  }
}
