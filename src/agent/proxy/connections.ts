import type { Attribution } from "../../domain/identity/mod.ts";
import type { SocketAddress } from "../../domain/wire/mod.ts";
import type { ResolvedCaller } from "../caller/mod.ts";

/** What is remembered of one connection between its requests. Only the pipeline and the reaper look at it. */
export class Connection {
  /** Names the connection in the kernel; `null` until a request was attributed to a record. */
  cookie: bigint | null = null;
  resolved: ResolvedCaller | null = null;
  /** What was last said of the peer; the redirector hands it back while it holds. */
  attribution: Attribution | null = null;
  /** Requests being served. */
  inFlight = 0;
  /** Requests served or being served. */
  requests = 0;
  /** When the last request ended, or when the connection was first seen. Monotonic milliseconds. */
  lastEndMs: number;
  /** When it is cut because its peer was told to close it; `Infinity` when it may stay. */
  closeAtMs = Infinity;
  /** The reaper's: bytes received when it first looked after the last request; -1 when it has not looked yet. */
  baselineBytes = -1;
  /** The reaper's: when more bytes than that were there and no request came of them. */
  partialSinceMs = Infinity;
  /** The reaper's: number of the last scan that met this connection. */
  seenInScan = 0;

  constructor(readonly peer: SocketAddress, readonly firstSeenMs: number) {
    this.lastEndMs = firstSeenMs;
  }
}

/** How many entries are looked at to make room; those in use are passed over. */
const EVICTION_LOOKS = 64;

/** The connections that are known, by peer. Bounded: an entry that made room is simply learned again. */
export class Connections {
  readonly #capacity: number;
  readonly #byPeer = new Map<string, Connection>();
  #closing = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#byPeer.size;
  }

  /** Connections whose peer was told to close. */
  get closing(): number {
    return this.#closing;
  }

  /** A request of `peer` arrived. */
  begin(peer: SocketAddress, nowMs: number): Connection {
    return this.#started(this.observe(peer, nowMs));
  }

  /**
   * The request turned out to belong to another connection than the one remembered: the peer's port was used again.
   * Moves the request over.
   */
  renew(old: Connection, nowMs: number): Connection {
    old.inFlight--;
    const key = keyOf(old.peer);
    if (this.#byPeer.get(key) === old) this.#remove(key, old);
    return this.begin(old.peer, nowMs);
  }

  /** A request was answered; with `closesAtMs` its connection may not stay open beyond that. */
  end(connection: Connection, nowMs: number, closeAtMs = Infinity): void {
    connection.inFlight--;
    connection.lastEndMs = nowMs;
    if (closeAtMs === Infinity) return;
    if (connection.closeAtMs === Infinity) this.#closing++;
    connection.closeAtMs = Math.min(connection.closeAtMs, closeAtMs);
  }

  /** The entry of `peer`, made when there is none. */
  observe(peer: SocketAddress, nowMs: number): Connection {
    const key = keyOf(peer);
    const known = this.#byPeer.get(key);
    if (known !== undefined) return known;
    if (this.#byPeer.size >= this.#capacity) this.#makeRoom();
    const connection = new Connection(peer, nowMs);
    this.#byPeer.set(key, connection);
    return connection;
  }

  forget(connection: Connection): void {
    const key = keyOf(connection.peer);
    if (this.#byPeer.get(key) === connection) this.#remove(key, connection);
  }

  /** All entries, the oldest first. Entries may be forgotten meanwhile. */
  all(): IterableIterator<Connection> {
    return this.#byPeer.values();
  }

  #started(connection: Connection): Connection {
    connection.inFlight++;
    connection.requests++;
    connection.baselineBytes = -1;
    connection.partialSinceMs = Infinity;
    return connection;
  }

  #makeRoom(): void {
    let looks = 0;
    for (const [key, connection] of this.#byPeer) {
      if (connection.inFlight === 0 || ++looks === EVICTION_LOOKS) {
        this.#remove(key, connection);
        return;
      }
    }
  }

  #remove(key: string, connection: Connection): void {
    this.#byPeer.delete(key);
    if (connection.closeAtMs !== Infinity) this.#closing--;
  }
}

function keyOf(peer: SocketAddress): string {
  return `${peer.address}:${peer.port}`;
}
