/**
 * What the runtime's HTTP server does by itself and differently from version to version. Found out by trying:
 * docs/adr/0004-listener.md.
 */
export interface ServerTraits {
  /** It compresses answers that clients would accept compressed, unless told not to transform them. */
  readonly compresses: boolean;
  /** It closes a connection after an answer with `connection: close`. */
  readonly closesWhenTold: boolean;
}
