import type { LatchedKey } from "../../domain/endorsement/mod.ts";
import { isKeyGuid, type KeyDocument, type KeyGuid } from "../../domain/wire/mod.ts";
import type { KeyStage } from "./key_store.ts";

/**
 * DEVIATION D-51: after an attestation that the host does not confirm, the next key is asked for only after this, then twice this, and so
 * on, milliseconds. Source: wire-protocol S-13.
 */
export const REACQUIRE_FIRST_MS = 30_000;
/** No such wait is longer, milliseconds. */
export const REACQUIRE_CAP_MS = 900_000;

/** A key in use, and how it came to be. */
export interface HeldKey {
  readonly key: LatchedKey;
  readonly from: "attested" | "disk";
}

/** Keys in a row that may be asked for at once, each because the host changed its word, before the waits count after all. */
const QUICK_REACQUISITIONS = 5;

/** How often the host took a key without naming it afterwards, and when it may be asked for another. */
export interface Patience {
  readonly unconfirmed: number;
  /** What the host named when the last of these keys was asked for; another word is news. */
  readonly namedGuid: string | null;
  /** Monotonic milliseconds. */
  readonly notBeforeMs: number;
}

/** Which answer the latch waits for. `wait`: none; the next status decides. */
export type LatchStep =
  | "load"
  | "prove"
  | "acquire"
  | "store"
  | "check"
  | "attest"
  | "attest-found"
  | "wait";

/**
 * Where the agent stands with its key. `unknown`: the host was not heard yet. `disabled`: it wants no key.
 * `latching`: on the way to a key that the host wants; `previous` stays in use meanwhile, or `doubted`, a key from the disk
 * that is being proven. `latched`: a key is in use.
 */
export type Latch =
  | { readonly state: "unknown" }
  | { readonly state: "disabled" }
  | {
    readonly state: "latching";
    readonly previous: HeldKey | null;
    readonly doubted: HeldKey | null;
    readonly step: LatchStep;
    readonly patience: Patience;
    /** What the status that started this named, and when it came, monotonic milliseconds. */
    readonly namedGuid: string | null;
    readonly sinceMs: number;
  }
  | { readonly state: "latched"; readonly held: HeldKey; readonly patience: Patience };

/** What happened. The first is news from the host, the others are outcomes of effects. */
export type LatchEvent =
  | {
    readonly kind: "status";
    /** Whether the channel's state wants a key. */
    readonly wantsKey: boolean;
    readonly keyGuid: string | null;
    readonly nowMs: number;
  }
  | { readonly kind: "loaded"; readonly key: LatchedKey; readonly stage: KeyStage }
  /** The host refused a request that the key in use had signed. */
  | { readonly kind: "doubted"; readonly nowMs: number }
  /** The host took the key that was doubted. */
  | { readonly kind: "proven" }
  /** No usable key of that id is stored, or the host refused the one that was found there. */
  | { readonly kind: "none-stored" }
  | { readonly kind: "granted"; readonly grant: Grant }
  | { readonly kind: "stored"; readonly grant: Grant }
  | { readonly kind: "checked"; readonly grant: Grant }
  | { readonly kind: "attested"; readonly key: LatchedKey; readonly nowMs: number }
  | { readonly kind: "failed" };

/** A key as the host delivered it, in both forms: to store and to sign with. */
export interface Grant {
  readonly document: KeyDocument;
  readonly key: LatchedKey;
}

/** What is to be done next. Its outcome comes back as an event. */
export type LatchEffect =
  | { readonly kind: "load"; readonly guid: KeyGuid }
  | { readonly kind: "prove"; readonly key: LatchedKey }
  | { readonly kind: "acquire" }
  | { readonly kind: "store"; readonly grant: Grant }
  | { readonly kind: "check"; readonly grant: Grant }
  | { readonly kind: "attest"; readonly key: LatchedKey; readonly found: boolean };

/** The latch after an event, and what is to be done; `null`: nothing until the next status. */
export interface LatchStepped {
  readonly next: Latch;
  readonly effect: LatchEffect | null;
}

/** The latch of a process that has just started. */
export const UNKNOWN_LATCH: Latch = Object.freeze({ state: "unknown" });

const CONFIRMED: Patience = Object.freeze({ unconfirmed: 0, namedGuid: null, notBeforeMs: 0 });

/** The key that signs in this state; `null` while there is none. */
export function heldKey(latch: Latch): HeldKey | null {
  switch (latch.state) {
    case "latched":
      return latch.held;
    case "latching":
      return latch.doubted ?? latch.previous;
    default:
      return null;
  }
}

/**
 * Moves the latch. Pure: the caller performs the effect and brings its outcome back.
 * @throws TypeError when an outcome arrives that nobody waits for, which is a bug of the caller.
 * Source: wire-protocol 4.1, 4.2, 4.4 and 4.5.
 */
export function step(latch: Latch, event: LatchEvent): LatchStepped {
  if (event.kind === "status") return onStatus(latch, event);
  if (event.kind === "doubted") return onDoubt(latch, event.nowMs);
  if (latch.state !== "latching" || latch.step === "wait") throw unexpected(latch, event);
  switch (event.kind) {
    case "failed":
      return { next: { ...latch, step: "wait" }, effect: null };
    case "loaded":
      expect(latch.step === "load", latch, event);
      return event.stage === "attested" ? use(event.key, "disk", CONFIRMED) : {
        next: { ...latch, step: "attest-found" },
        effect: { kind: "attest", key: event.key, found: true },
      };
    case "proven":
      if (latch.doubted === null) throw unexpected(latch, event);
      return use(latch.doubted.key, "attested", latch.patience);
    case "none-stored":
      expect(["load", "prove", "attest-found"].includes(latch.step), latch, event);
      return seekNew(latch.previous, latch.patience, latch.namedGuid, latch.sinceMs);
    case "granted":
      expect(latch.step === "acquire", latch, event);
      return { next: { ...latch, step: "store" }, effect: { kind: "store", grant: event.grant } };
    case "stored":
      expect(latch.step === "store", latch, event);
      return { next: { ...latch, step: "check" }, effect: { kind: "check", grant: event.grant } };
    case "checked":
      expect(latch.step === "check", latch, event);
      return {
        next: { ...latch, step: "attest" },
        effect: { kind: "attest", key: event.grant.key, found: false },
      };
    case "attested":
      expect(latch.step === "attest" || latch.step === "attest-found", latch, event);
      return latch.step === "attest-found"
        ? use(event.key, "disk", CONFIRMED)
        : use(event.key, "attested", patienceAfter(latch, event.key, event.nowMs));
  }
}

function onStatus(latch: Latch, status: LatchEvent & { kind: "status" }): LatchStepped {
  if (!status.wantsKey) return { next: { state: "disabled" }, effect: null };
  const held = heldKey(latch);
  if (held !== null && status.keyGuid === held.key.guid) {
    return { next: { state: "latched", held, patience: CONFIRMED }, effect: null };
  }
  const patience = "patience" in latch ? latch.patience : CONFIRMED;
  const { keyGuid: namedGuid, nowMs: sinceMs } = status;
  if (status.keyGuid !== null && isKeyGuid(status.keyGuid)) {
    return {
      next: latching("load", held, patience, namedGuid, sinceMs),
      effect: { kind: "load", guid: status.keyGuid },
    };
  }
  return seekNew(held, patience, namedGuid, sinceMs);
}

/**
 * DEVIATION D-210: a file may hold another key than it should, and every request would be refused for ever. Only the host can
 * tell; a key that it has attested to this process is beyond doubt. Source: wire-protocol 4.2.
 */
function onDoubt(latch: Latch, nowMs: number): LatchStepped {
  if (latch.state !== "latched" || latch.held.from !== "disk") return { next: latch, effect: null };
  const { held, patience } = latch;
  return {
    next: { ...latching("prove", null, patience, held.key.guid, nowMs), doubted: held },
    effect: { kind: "prove", key: held.key },
  };
}

/**
 * Asks for a new key, unless the host has just been given an attestation and keeps saying what it said before: a host that
 * never names what it handed out would otherwise be asked at each poll. A host that changed its word means a rotation.
 */
function seekNew(
  previous: HeldKey | null,
  patience: Patience,
  namedGuid: string | null,
  nowMs: number,
): LatchStepped {
  const isNews = namedGuid !== patience.namedGuid && patience.unconfirmed < QUICK_REACQUISITIONS;
  if (previous !== null && nowMs < patience.notBeforeMs && !isNews) {
    return { next: { state: "latched", held: previous, patience }, effect: null };
  }
  return {
    next: latching("acquire", previous, patience, namedGuid, nowMs),
    effect: { kind: "acquire" },
  };
}

function latching(
  step: LatchStep,
  previous: HeldKey | null,
  patience: Patience,
  namedGuid: string | null,
  sinceMs: number,
): Latch & { readonly state: "latching" } {
  return { state: "latching", previous, doubted: null, step, patience, namedGuid, sinceMs };
}

function use(key: LatchedKey, from: HeldKey["from"], patience: Patience): LatchStepped {
  return { next: { state: "latched", held: { key, from }, patience }, effect: null };
}

/** After an attestation: a host that had named the very key confirmed it before; any other must name it now. */
function patienceAfter(
  latch: Latch & { readonly state: "latching" },
  key: LatchedKey,
  nowMs: number,
): Patience {
  const { namedGuid, patience } = latch;
  if (key.guid === namedGuid) return CONFIRMED;
  const waitMs = Math.min(REACQUIRE_FIRST_MS * 2 ** patience.unconfirmed, REACQUIRE_CAP_MS);
  return { unconfirmed: patience.unconfirmed + 1, namedGuid, notBeforeMs: nowMs + waitMs };
}

function expect(condition: boolean, latch: Latch, event: LatchEvent): void {
  if (!condition) throw unexpected(latch, event);
}

function unexpected(latch: Latch, event: LatchEvent): TypeError {
  const step = latch.state === "latching" ? `, step ${latch.step}` : "";
  return new TypeError(`latch is ${latch.state}${step}: nobody waits for \`${event.kind}\``);
}
