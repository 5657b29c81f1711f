import { HEAD_LIMITS, type HeadLimits } from "../http1/mod.ts";

/** Every bound of the way to the host. Times are checked every `sweepMs`, so they end up to that much late. */
export interface UpstreamLimits {
  readonly connectMs: number;
  /** From the last byte of the request to the end of the response's head. */
  readonly headMs: number;
  /** Silence of the host inside a response body, or while it should take a request body. */
  readonly bodyIdleMs: number;
  /** A response body that the caller does not take is given up after this. */
  readonly stalledCallerMs: number;
  /** A connection without a request is closed after this. */
  readonly idleMs: number;
  /** After this the asker is told that the answer takes long, and how to give up. */
  readonly slowMs: number;
  readonly sweepMs: number;
  /** Connections kept without a request, for each destination. */
  readonly idleConnections: number;
  /**
   * Connections in all, for each destination. Few: a crowd is served sooner in turn than all at once, and what waits for its
   * turn here is no reproach to the host, whose time counts from the request.
   */
  readonly liveConnections: number;
  /** Requests that wait for a connection, for each destination. */
  readonly waiting: number;
  /** How long they do; on a busy machine thousands of connections at once take that long. */
  readonly waitMs: number;
  /** Bodies with a declared length up to this are read as a whole, others are streamed. */
  readonly bufferedBodyBytes: number;
  readonly head: HeadLimits;
}

/** Source: agent 13 item 3, design 4 (time-outs), performance 2. */
export const UPSTREAM_LIMITS: UpstreamLimits = Object.freeze({
  connectMs: 5_000,
  headMs: 10_000,
  bodyIdleMs: 30_000,
  stalledCallerMs: 60_000,
  idleMs: 60_000,
  slowMs: 500,
  sweepMs: 250,
  idleConnections: 64,
  liveConnections: 256,
  waiting: 16_384,
  waitMs: 30_000,
  bufferedBodyBytes: 65_536,
  head: HEAD_LIMITS,
});
