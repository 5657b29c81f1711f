import type { Libc } from "../../../ffi/libc.ts";
import type { AcceptedSocket, AcceptedSockets } from "../../agent/proxy/accepted_sockets.ts";
import type { SocketAddress } from "../../domain/wire/endpoints.ts";
import type { Clock } from "../../runtime/clock.ts";

/** A slice ends after this long, so that a request never waits longer for a scan. */
const SLICE_MS = 1.5;
/** Descriptors looked at between two looks at the clock. */
const CHECK_EVERY = 32;

/**
 * Finds the listener's accepted connections among the process's own descriptors: they are its own, whoever accepted them.
 * A descriptor is looked at again in the very moment it is used, so a number that another file got meanwhile is never
 * taken for the connection.
 */
export class OwnSockets implements AcceptedSockets {
  readonly #libc: Libc;
  readonly #clock: Clock;
  readonly #listener: SocketAddress;

  constructor(libc: Libc, clock: Clock, listener: SocketAddress) {
    this.#libc = libc;
    this.#clock = clock;
    this.#listener = listener;
  }

  async *scan(signal: AbortSignal): AsyncIterable<readonly AcceptedSocket[]> {
    const numbers: number[] = [];
    for await (const entry of Deno.readDir("/proc/self/fd")) numbers.push(Number(entry.name));
    for (let at = 0; at < numbers.length && !signal.aborted;) {
      const slice: AcceptedSocket[] = [];
      const endMs = this.#clock.monotonicMs() + SLICE_MS;
      do {
        for (const fd of numbers.slice(at, at + CHECK_EVERY)) {
          const socket = this.#look(fd);
          if (socket !== null) slice.push(socket);
        }
        at += CHECK_EVERY;
      } while (at < numbers.length && this.#clock.monotonicMs() < endMs);
      yield slice;
      await nextTurn();
    }
  }

  /** The accepted connection behind a descriptor; `null` for everything else. */
  #look(fd: number): AcceptedSocket | null {
    const local = this.#libc.localOf(fd);
    if (local?.port !== this.#listener.port || local.address !== this.#listener.address) {
      return null;
    }
    const peer = this.#libc.peerOf(fd);
    if (peer === null) return null;
    return {
      peer,
      bytesReceived: this.#libc.bytesReceived(fd),
      shut: () => this.#shut(fd, peer),
    };
  }

  #shut(fd: number, peer: SocketAddress): boolean {
    const now = this.#libc.peerOf(fd);
    if (now?.port !== peer.port || now.address !== peer.address) return false;
    this.#libc.shutDown(fd);
    return true;
  }
}

/** Lets everything that waits on the event loop run first. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
