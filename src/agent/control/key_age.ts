import type { Cell } from "../../runtime/cell.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { AgentSnapshot } from "../key_keeper/mod.ts";

/** For how long the key in use has been in use by this process. A document of the host does not say when it was made. */
export class KeyAge {
  readonly #clock: Clock;
  #guid: string | null = null;
  #sinceMs = 0;

  /** Watches `snapshot` until `signal` fires. */
  constructor(snapshot: Cell<AgentSnapshot>, clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#look(snapshot.get());
    snapshot.subscribe((next) => this.#look(next), signal);
  }

  /** Milliseconds; `null` while no key is held. */
  get ageMs(): number | null {
    return this.#guid === null ? null : this.#clock.monotonicMs() - this.#sinceMs;
  }

  #look({ key }: AgentSnapshot): void {
    const guid = key?.guid ?? null;
    if (guid === this.#guid) return;
    this.#guid = guid;
    this.#sinceMs = this.#clock.monotonicMs();
  }
}
