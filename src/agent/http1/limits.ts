/** How large a message head may be. */
export interface HeadLimits {
  /** Bytes of start line and fields, up to and with the blank line. */
  readonly headBytes: number;
  /** Header fields, repeated ones counted each. */
  readonly fields: number;
  /** Bytes of the request target. */
  readonly targetBytes: number;
}

/** How large a message that is read as a whole may be. */
export interface MessageLimits extends HeadLimits {
  /** Bytes of the body after chunking is removed. */
  readonly bodyBytes: number;
}

/** The limits both directions share. Source: wire-protocol 1.3. */
export const HEAD_LIMITS: HeadLimits = Object.freeze({
  headBytes: 417_792,
  fields: 100,
  targetBytes: 65_534,
});

/** Bytes of one chunk-size line, extensions included. */
export const CHUNK_LINE_BYTES = 4096;

/** Bytes of all trailer fields of one body. */
export const TRAILER_BYTES = 16_384;
