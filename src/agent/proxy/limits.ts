/** Every bound of the listener's side. */
export interface ProxyLimits {
  /** A request body that pauses for longer is given up. */
  readonly bodyIdleMs: number;
  /** A request head that is not complete by then is cut. Source: the listener's contract. */
  readonly headMs: number;
  /** A connection without a request for this long is cut. */
  readonly idleMs: number;
  /** How often connections are looked through. */
  readonly scanMs: number;
  /** A connection that was told to close is cut when its peer has not closed it by then. */
  readonly lingerMs: number;
  /** How often time limits of bodies are looked at. */
  readonly sweepMs: number;
  /** How long running requests may go on after a stop. */
  readonly drainMs: number;
  /** Connections remembered. One that is forgotten is attributed anew with its next request. */
  readonly connections: number;
  /** Connections that may wait to be accepted; the system has its own maximum. */
  readonly backlog: number;
  /** Header fields of a request; repeated names count once, because they arrive joined. */
  readonly fields: number;
}

/** Source: wire-protocol 1.3, agent 13 items 3 and 8, design 4. */
export const PROXY_LIMITS: ProxyLimits = Object.freeze({
  bodyIdleMs: 30_000,
  headMs: 30_000,
  idleMs: 120_000,
  scanMs: 5_000,
  lingerMs: 250,
  sweepMs: 250,
  drainMs: 5_000,
  connections: 65_536,
  backlog: 16_384,
  fields: 100,
});
