import type { SocketAddress } from "../wire/endpoints.ts";
import type { Caller } from "./caller.ts";

/** What is known about a caller, in the words and the order of the contract. Goes to logs and telemetry, never to the host. */
export interface ClaimsDocument {
  readonly userId: number;
  readonly userName: string;
  readonly userGroups: readonly string[];
  readonly processId: number;
  readonly processName: string;
  readonly processFullPath: string;
  readonly processCmdLine: string;
  readonly runAsElevated: boolean;
  readonly clientIp: string;
  readonly clientPort: number;
}

/** Name of a user whose id is not known. */
export const UNKNOWN_USER_NAME = "undefined";
/** Text in place of every unknown text when there is no caller at all. */
export const NO_CLAIMS_TEXT = "empty";

/**
 * The claims about a caller; of a caller that could not be attributed (`null`) what the contract says of nobody. `client` is the peer of
 * the accepted connection. The path of an unverified executable is shown too: this is display text and decides nothing.
 * Source: wire-protocol 6.2, authorization 5.2.
 */
export function claimsDocument(caller: Caller | null, client: SocketAddress): ClaimsDocument {
  if (caller === null) {
    return {
      userId: 0,
      userName: NO_CLAIMS_TEXT,
      userGroups: [],
      processId: 0,
      processName: NO_CLAIMS_TEXT,
      processFullPath: NO_CLAIMS_TEXT,
      processCmdLine: NO_CLAIMS_TEXT,
      runAsElevated: false,
      clientIp: client.address,
      clientPort: client.port,
    };
  }
  const path = caller.exe.kind === "verified" ? caller.exe.path : caller.exe.shownPath;
  return {
    userId: caller.record.uid,
    userName: caller.account?.userName ?? UNKNOWN_USER_NAME,
    userGroups: caller.account?.groups ?? [],
    processId: caller.record.process.tgid,
    processName: path.slice(path.lastIndexOf("/") + 1),
    processFullPath: path,
    processCmdLine: caller.commandLine,
    runAsElevated: caller.elevated,
    clientIp: client.address,
    clientPort: client.port,
  };
}
