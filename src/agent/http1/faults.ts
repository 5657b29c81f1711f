/**
 * Why received bytes are not a message. Values, because a peer can cause each of them.
 * `TRUNCATED`: the peer closed before the message was complete.
 */
export type Http1Fault =
  | "HEAD_TOO_LARGE"
  | "TOO_MANY_FIELDS"
  | "TARGET_TOO_LONG"
  | "START_LINE"
  | "VERSION"
  | "FIELD"
  | "FRAMING"
  | "CHUNK"
  | "BODY_TOO_LARGE"
  | "TRUNCATED";
