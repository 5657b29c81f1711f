/**
 * What the program tells the service manager about itself. Implementations send a datagram to the address in
 * NOTIFY_SOCKET; without one they do nothing. None of the calls waits or throws. Source: sd_notify(3).
 */
export interface ServiceNotify {
  /** The program does its work; what is ordered behind it may start. */
  ready(): void;
  /** The program still runs; at least twice in each watchdog interval. */
  watchdog(): void;
  /** The orderly stop has begun. */
  stopping(): void;
  /** One line for people. */
  status(text: string): void;
}

/** Where and how often the service manager wants to hear from us. */
export interface NotifyTarget {
  /** The bytes of the socket's name, as `sun_path` wants them: a first `@` has become a zero byte. */
  readonly socketName: Uint8Array;
  /** How often to call `watchdog`, milliseconds: half the manager's interval; `null` when it does not watch. */
  readonly watchdogEveryMs: number | null;
}

/** Room for a name in `sockaddr_un`, the closing zero byte not counted. */
const LONGEST_NAME_BYTES = 107;

/**
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. `null` when no manager listens, or at an address that is no
 * Unix socket. Source: sd_notify(3), sd_watchdog_enabled(3).
 */
export function readNotifyTarget(
  environment: (name: string) => string | undefined,
  pid: number,
): NotifyTarget | null {
  const address = environment("NOTIFY_SOCKET") ?? "";
  if (!/^[/@]./.test(address)) return null;
  const socketName = new TextEncoder().encode(address);
  if (socketName.length > LONGEST_NAME_BYTES) return null;
  if (address.startsWith("@")) socketName[0] = 0;
  return { socketName, watchdogEveryMs: readWatchdog(environment, pid) };
}

function readWatchdog(
  environment: (name: string) => string | undefined,
  pid: number,
): number | null {
  const watched = environment("WATCHDOG_PID");
  if (watched !== undefined && watched !== String(pid)) return null;
  const micros = Number(environment("WATCHDOG_USEC") ?? "");
  return Number.isSafeInteger(micros) && micros > 0 ? micros / 2000 : null;
}

/** The datagrams of the interface's calls, as text. */
export const NOTIFY_MESSAGES = Object.freeze({
  ready: "READY=1",
  watchdog: "WATCHDOG=1",
  stopping: "STOPPING=1",
  /** Line ends would start another assignment. */
  status: (text: string): string => `STATUS=${text.replace(/[\r\n]+/g, " ").slice(0, 512)}`,
});
