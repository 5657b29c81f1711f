/** Why a request or a rule has no canonical form. Stable words of the log and of the command line. */
export type CanonCode =
  | "CANON_SCHEME"
  | "CANON_METHOD"
  | "CANON_USERINFO"
  | "CANON_PCT"
  | "CANON_OVERLONG"
  | "CANON_UTF8"
  | "CANON_NON_ASCII"
  | "CANON_CTRL"
  | "CANON_UNDERFLOW"
  | "CANON_EMBQ"
  | "CANON_HOST"
  | "CANON_PORT";

/** What each code means, for people. `CANON_OVERLONG` is reserved: overlong sequences are malformed UTF-8 already. */
export const CANON_MEANINGS: Readonly<Record<CanonCode, string>> = Object.freeze({
  CANON_SCHEME: "the scheme is not http",
  CANON_METHOD: "the method is not served",
  CANON_USERINFO: "the authority holds an @",
  CANON_PCT: "a percent escape is malformed",
  CANON_OVERLONG: "a UTF-8 sequence is longer than it has to be",
  CANON_UTF8: "the bytes are no UTF-8",
  CANON_NON_ASCII: "the path holds a character beyond ASCII",
  CANON_CTRL: "there is a control character",
  CANON_UNDERFLOW: "the path climbs above its root",
  CANON_EMBQ: "the decoded path holds a question mark",
  CANON_HOST: "the host cannot be read",
  CANON_PORT: "the port cannot be read",
});

/** All codes, in the order of the table. Source: authorization 3.13. */
export const CANON_CODES: readonly CanonCode[] = Object.freeze(
  Object.keys(CANON_MEANINGS) as CanonCode[],
);
