import { Buffer } from "node:buffer";
import { SecretKey } from "../domain/endorsement/mod.ts";

/** A key the simulated host made. It holds the key text, because handing keys out is what the host does. */
export interface HostKey {
  readonly guid: string;
  /** 64 hex digits, upper case, as the platform delivers them. */
  readonly hex: string;
  readonly secret: SecretKey;
  readonly incarnationId: number;
  /** ISO 8601, seconds. */
  readonly issued: string;
}

/** What the key of a signature is to the host at this moment. */
export type KeyStanding = "latched" | "previous" | "offered";

/** Which guid the status document names: the truth, none at all, or one that nobody holds. */
export type KeyNaming = "latched" | "none" | "foreign";

/** Keys handed out and not attested that are remembered. */
const MAX_OFFERED = 8;

const FOREIGN_GUID = "f0e1f0e1-0000-4000-8000-f0e1f0e1f0e1";

/** The keys of the simulated host: offered, latched, and for a moment the one before. */
export class KeyRing {
  #latched: HostKey | null = null;
  #previous: { readonly key: HostKey; readonly untilMs: number } | null = null;
  #announced: HostKey | null = null;
  #offered: HostKey[] = [];
  #incarnationId = 0;
  naming: KeyNaming = "latched";

  /**
   * @param randomBytes source of randomness
   * @param previousGraceMs how long the replaced key still verifies: requests that were under way when it was replaced
   */
  constructor(
    readonly randomBytes: (count: number) => Uint8Array,
    readonly previousGraceMs: number,
  ) {}

  /** The key that unlocks the host; `null` before the first attestation. */
  get latched(): HostKey | null {
    return this.#latched;
  }

  /** The key that the next acquisition will be given because the host asked for a rotation; `null` when it did not. */
  get announced(): HostKey | null {
    return this.#announced;
  }

  /** What the status document says under `keyGuid`. */
  namedGuid(): string | null {
    if (this.naming === "none") return null;
    if (this.naming === "foreign") return FOREIGN_GUID;
    return (this.#announced ?? this.#latched)?.guid ?? null;
  }

  /** Makes a new key and names it in the status document; the latched key stays until the new one is attested. */
  rotate(nowMs: number): HostKey {
    this.#announced = this.#make(nowMs);
    return this.#announced;
  }

  /** Forgets every key, as a host does for a VM it has never seen. */
  forget(): void {
    this.#latched = this.#previous = this.#announced = null;
    this.#offered = [];
  }

  /** The key for an acquisition: the announced one, or a fresh one. */
  offer(nowMs: number): HostKey {
    const key = this.#announced ?? this.#make(nowMs);
    if (!this.#offered.includes(key)) this.#offered.push(key);
    if (this.#offered.length > MAX_OFFERED) this.#offered.shift();
    return key;
  }

  /** The key of that guid and its standing; `null` when the host does not know it (any more). */
  find(guid: string, nowMs: number): { key: HostKey; standing: KeyStanding } | null {
    if (this.#latched?.guid === guid) return { key: this.#latched, standing: "latched" };
    const previous = this.#previous;
    if (previous?.key.guid === guid && nowMs < previous.untilMs) {
      return { key: previous.key, standing: "previous" };
    }
    const offered = this.#offered.find((key) => key.guid === guid);
    return offered === undefined ? null : { key: offered, standing: "offered" };
  }

  /** The key of that guid was attested: it is latched from now on. */
  latch(guid: string, nowMs: number): void {
    if (this.#latched?.guid === guid) return;
    const key = this.#offered.find((offered) => offered.guid === guid);
    if (key === undefined) return;
    if (this.#latched !== null) {
      this.#previous = { key: this.#latched, untilMs: nowMs + this.previousGraceMs };
    }
    this.#latched = key;
    this.#announced = null;
    this.#offered = [];
  }

  #make(nowMs: number): HostKey {
    const hex = Buffer.from(this.randomBytes(32)).toString("hex").toUpperCase();
    const secret = SecretKey.fromHex(hex);
    if (!secret.ok) throw new TypeError("the source of randomness gave no bytes");
    this.#incarnationId++;
    return {
      guid: guidFrom(this.randomBytes(16)),
      hex,
      secret: secret.value,
      incarnationId: this.#incarnationId,
      issued: new Date(nowMs).toISOString().slice(0, 19) + "Z",
    };
  }
}

function guidFrom(random: Uint8Array): string {
  const hex = Buffer.from(random).toString("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    "4" + hex.slice(13, 16),
    "8" + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join("-");
}
