import type { Libc } from "../../../ffi/libc.ts";
import type { Logger } from "../../runtime/logger.ts";
import {
  NOTIFY_MESSAGES,
  type NotifyTarget,
  type ServiceNotify,
} from "../../runtime/service_notify.ts";

/** Tells systemd what the program does, by datagrams to its socket; does nothing where no manager listens. */
export class SystemdNotify implements ServiceNotify {
  readonly #libc: Libc;
  readonly #target: NotifyTarget | null;
  readonly #log: Logger;

  constructor(libc: Libc, target: NotifyTarget | null, log: Logger) {
    this.#libc = libc;
    this.#target = target;
    this.#log = log;
  }

  ready(): void {
    this.#send(NOTIFY_MESSAGES.ready);
  }
  watchdog(): void {
    this.#send(NOTIFY_MESSAGES.watchdog);
  }
  stopping(): void {
    this.#send(NOTIFY_MESSAGES.stopping);
  }
  status(text: string): void {
    this.#send(NOTIFY_MESSAGES.status(text));
  }

  #send(message: string): void {
    if (this.#target === null) return;
    try {
      this.#libc.sendUnixDatagram(this.#target.socketName, message);
    } catch (error) {
      this.#log.warn("service manager not reached", { error: String(error) });
    }
  }
}
