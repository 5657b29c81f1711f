import type { Clock } from "./clock.ts";
import type { Logger } from "./logger.ts";
import type { HealthReporter, Part } from "./part.ts";
import type { Pulse } from "./pulse.ts";
import type { ServiceNotify } from "./service_notify.ts";

/** How often loops are looked at where no manager watches, and at least, milliseconds. */
const LOOK_EVERY_MS = 30_000;

export interface LifeSignOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly notify: Pick<ServiceNotify, "watchdog" | "status">;
  /** How often the service manager wants to hear, milliseconds; `null` when it does not watch. */
  readonly everyMs: number | null;
  /** The loops without which the program is not alive. */
  readonly loops: readonly { readonly name: string; readonly pulse: Pulse }[];
  /** One line for people: how the program is. */
  readonly status: () => string;
}

/**
 * Tells a watching service manager that the program lives: that the event loop turns, by being called at all, and that none
 * of the watched loops hangs. Once one does the manager hears nothing more and starts the program again.
 * Source: sd_watchdog_enabled(3).
 */
export class LifeSign implements Part {
  readonly name = "service";
  readonly #options: LifeSignOptions;
  readonly #logger: Logger;
  #hanging = "";

  constructor(options: LifeSignOptions) {
    this.#options = options;
    this.#logger = options.logger.child(this.name);
  }

  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { clock, everyMs, notify, status } = this.#options;
    health.report("RUNNING", "ALIVE", "All loops turn");
    for (let said = ""; !signal.aborted;) {
      this.#look(health);
      if (this.#hanging === "") notify.watchdog();
      const text = status();
      if (text !== said) notify.status(text);
      said = text;
      await clock.sleep(Math.min(everyMs ?? LOOK_EVERY_MS, LOOK_EVERY_MS), signal);
    }
  }

  #look(health: HealthReporter): void {
    const late = this.#options.loops.filter(({ pulse }) => pulse.hangsForMs !== null);
    const hanging = late.map(({ name }) => name).join(", ");
    if (hanging === this.#hanging) return;
    this.#hanging = hanging;
    for (const { name, pulse } of late) {
      this.#logger.error("loop hangs", { loop: name, forMs: Math.round(pulse.hangsForMs ?? 0) });
    }
    if (hanging !== "") return health.report("STOPPED", "LOOP_HANGS", `Hangs: ${hanging}`);
    this.#logger.info("all loops turn again");
    health.report("RUNNING", "ALIVE", "All loops turn");
  }
}
