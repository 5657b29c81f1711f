import { isKeyGuid } from "../../domain/wire/mod.ts";
import type { Cell } from "../../runtime/cell.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { AgentSnapshot, KeyStore } from "../key_keeper/mod.ts";

/**
 * For how long the key in use has been held, over restarts. A document of the host does not say in a way that can be read when
 * the key was made: the time of its file counts, and where there is none, that of the first use by this process.
 */
export class KeyAge {
  readonly #clock: Clock;
  readonly #store: Pick<KeyStore, "storedWallMs">;
  #guid: string | null = null;
  #sinceMs = 0;

  /** Watches `snapshot` until `signal` fires. */
  constructor(
    snapshot: Cell<AgentSnapshot>,
    clock: Clock,
    store: Pick<KeyStore, "storedWallMs">,
    signal: AbortSignal,
  ) {
    this.#clock = clock;
    this.#store = store;
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
    if (guid === null || !isKeyGuid(guid)) return;
    this.#store.storedWallMs(guid).then((storedMs) => {
      if (storedMs === null || this.#guid !== guid) return;
      const heldMs = this.#clock.wallMs() - storedMs;
      this.#sinceMs = Math.min(this.#sinceMs, this.#clock.monotonicMs() - heldMs);
    });
  }
}
