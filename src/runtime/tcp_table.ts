/** State LISTEN. */
const LISTENING = "0A";

/** A socket that listens. */
export interface ListeningSocket {
  readonly inode: string;
  /** The user that made it. */
  readonly uid: number;
}

/** The sockets that listen on that address or on all, by the kernel's table of TCP sockets. Source: proc_net_tcp(5). */
export function listeningSockets(
  table: string,
  { address, port }: { readonly address: string; readonly port: number },
): ListeningSocket[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const hexAddress = address.split(".").reverse()
    .map((part) => Number(part).toString(16).toUpperCase().padStart(2, "0")).join("");
  const places = new Set([`${hexAddress}:${hexPort}`, `00000000:${hexPort}`]);
  const sockets: ListeningSocket[] = [];
  for (const line of table.split("\n")) {
    const [, local = "", , state, , , , uid, , inode] = line.trim().split(/\s+/);
    if (state !== LISTENING || inode === undefined || !places.has(local)) continue;
    sockets.push({ inode, uid: Number(uid) });
  }
  return sockets;
}
