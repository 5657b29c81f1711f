import type { Caller } from "../../domain/identity/mod.ts";
import type { Sources } from "./sources.ts";

/** Connections of one process that are told. */
const MOST_CONNECTIONS = 64;

/** What is known of a caller, as it is used to decide. Numbers that need not fit a JSON number are decimal text. */
export function callerFacts(caller: Caller): Record<string, unknown> {
  const { account, commandLine, elevated, exe, record } = caller;
  return {
    uid: record.uid,
    gid: record.gid,
    elevated,
    userName: account?.userName ?? null,
    userGroups: account?.groups ?? [],
    pid: record.process.tgid,
    processStartedAtBootNs: String(record.process.startedAtBootNs),
    comm: record.comm,
    commandLine,
    executable: exe.kind === "verified"
      ? { verified: true, path: exe.path }
      : { verified: false, shownPath: exe.shownPath, doubt: exe.doubt },
    connection: {
      cookie: String(record.cookie),
      source: record.source,
      destination: record.destination,
      cgroupId: String(record.cgroupId),
      connectedAtBootNs: String(record.connectedAtBootNs),
    },
  };
}

/** Who the callers of the open connections of a process are, looked up now; empty when it has none. */
export async function callersOfProcess(
  sources: Sources,
  pid: number,
): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  for (const record of sources.proxy.connectionsOf(pid, MOST_CONNECTIONS)) {
    const { caller, check } = await sources.resolver.resolve(record);
    found.push({ process: check(), ...callerFacts(caller) });
  }
  return found;
}

/** Who is at the other end of the connection from `address`:`port`, asked of the kernel now. */
export async function callerOfConnection(
  sources: Sources,
  address: string,
  port: number,
): Promise<Record<string, unknown>> {
  const attribution = sources.redirector.attribute({ address, port });
  if (attribution.kind !== "redirected") return { ...attribution };
  const { caller, check } = await sources.resolver.resolve(attribution.record);
  return { kind: "redirected", process: check(), caller: callerFacts(caller) };
}
