/** Every bound of the listener's side. */
export interface ProxyLimits {
  /** A request body that pauses for longer is given up. */
  readonly bodyIdleMs: number;
  /** A request head that is not complete by then is cut. Source: the listener's contract. */
  readonly headMs: number;
  /** A connection without a request for this long is cut. */
  readonly idleMs: number;
  /** An answer that the caller does not take is given up after this. */
  readonly stalledCallerMs: number;
  /** How long what a caller still sends is read over, after the last answer of a connection. */
  readonly lingerMs: number;
  /** How often time limits are looked at; they end up to that much late. */
  readonly sweepMs: number;
  /** How long running requests may go on after a stop. */
  readonly drainMs: number;
  /** Connections that may wait to be accepted; the system has its own maximum. */
  readonly backlog: number;
}

/** Source: wire-protocol 1.3, agent 13 items 3 and 8, design 4. */
export const PROXY_LIMITS: ProxyLimits = Object.freeze({
  bodyIdleMs: 30_000,
  headMs: 30_000,
  idleMs: 120_000,
  stalledCallerMs: 60_000,
  lingerMs: 2_000,
  sweepMs: 250,
  drainMs: 5_000,
  backlog: 16_384,
});
