import assert from "node:assert/strict";
import {
  type Grant,
  heldKey,
  type Latch,
  type LatchEvent,
  REACQUIRE_CAP_MS,
  REACQUIRE_FIRST_MS,
  step,
  UNKNOWN_LATCH,
} from "../../../../src/agent/key_keeper/latch.ts";
import { latchedKey } from "../../../../src/domain/endorsement/mod.ts";
import { parseKeyGrant } from "../../../../src/domain/wire/mod.ts";
import { guid, keyText } from "../../../fakes/fake_host_channel.ts";

function grant(id: string): Grant {
  const document = parseKeyGrant(keyText(id));
  assert.ok(document.ok);
  const key = latchedKey(document.value);
  assert.ok(key.ok);
  return { document: document.value, key: key.value };
}

const G1 = grant(guid(1));
const G2 = grant(guid(2));

function status(keyGuid: string | null, nowMs = 0): LatchEvent {
  return { kind: "status", wantsKey: true, keyGuid, nowMs };
}
const DISABLED: LatchEvent = { kind: "status", wantsKey: false, keyGuid: null, nowMs: 0 };

/** Feeds events and returns the latch with the kinds of all effects on the way. */
function run(latch: Latch, events: readonly LatchEvent[]): { latch: Latch; effects: string[] } {
  const effects: string[] = [];
  for (const event of events) {
    const stepped = step(latch, event);
    latch = stepped.next;
    effects.push(stepped.effect?.kind ?? "-");
  }
  return { latch, effects };
}

/** The events of a whole acquisition after the status, ending at `nowMs`. */
function acquired(granted: Grant, nowMs = 0): LatchEvent[] {
  return [
    { kind: "granted", grant: granted },
    { kind: "stored", grant: granted },
    { kind: "checked", grant: granted },
    { kind: "attested", key: granted.key, nowMs },
  ];
}

/** A latch whose key the host has confirmed. */
function confirmed(granted: Grant): Latch {
  return run(UNKNOWN_LATCH, [
    status(null),
    ...acquired(granted),
    status(granted.key.guid),
  ]).latch;
}

Deno.test("step() goes from no key to acquire, store, check, attest, latched", () => {
  const { latch, effects } = run(UNKNOWN_LATCH, [status(null), ...acquired(G1)]);
  assert.deepEqual(effects, ["acquire", "store", "check", "attest", "-"]);
  assert.deepEqual(heldKey(latch), { key: G1.key, from: "attested" });
});

Deno.test("step() looks on the disk first for a key that the host names, and uses an attested one as it is", () => {
  const { latch, effects } = run(UNKNOWN_LATCH, [
    status(guid(1)),
    { kind: "loaded", key: G1.key, stage: "attested" },
  ]);
  assert.deepEqual(effects, ["load", "-"]);
  assert.deepEqual(heldKey(latch), { key: G1.key, from: "disk" });
});

Deno.test("step() proves a key from the disk that is doubted, and signs with it meanwhile", () => {
  const doubted = run(UNKNOWN_LATCH, [
    status(guid(1)),
    { kind: "loaded", key: G1.key, stage: "attested" },
    { kind: "doubted", nowMs: 5 },
  ]);
  assert.deepEqual(doubted.effects, ["load", "-", "prove"]);
  assert.deepEqual(heldKey(doubted.latch), { key: G1.key, from: "disk" });
  const proven = run(doubted.latch, [{ kind: "proven" }, { kind: "doubted", nowMs: 6 }]);
  assert.deepEqual(proven.effects, ["-", "-"]);
  assert.deepEqual(heldKey(proven.latch), { key: G1.key, from: "attested" });
  const refused = run(doubted.latch, [{ kind: "none-stored" }]);
  assert.deepEqual(refused.effects, ["acquire"]);
  assert.equal(heldKey(refused.latch), null);
  const unanswered = run(doubted.latch, [{ kind: "failed" }, status(guid(1))]);
  assert.deepEqual(unanswered.effects, ["-", "-"]);
  assert.deepEqual(heldKey(unanswered.latch), { key: G1.key, from: "disk" });
});

Deno.test("step() attests a key from the disk that never was", () => {
  const { latch, effects } = run(UNKNOWN_LATCH, [
    status(guid(1)),
    { kind: "loaded", key: G1.key, stage: "issued" },
    { kind: "attested", key: G1.key, nowMs: 0 },
  ]);
  assert.deepEqual(effects, ["load", "attest", "-"]);
  assert.deepEqual(heldKey(latch), { key: G1.key, from: "disk" });
});

Deno.test("step() acquires when the disk has nothing, or nothing that the host takes", () => {
  const absent = run(UNKNOWN_LATCH, [status(guid(1)), { kind: "none-stored" }]);
  assert.deepEqual(absent.effects, ["load", "acquire"]);
  const refused = run(UNKNOWN_LATCH, [
    status(guid(1)),
    { kind: "loaded", key: G1.key, stage: "issued" },
    { kind: "none-stored" },
  ]);
  assert.deepEqual(refused.effects, ["load", "attest", "acquire"]);
});

Deno.test("step() takes no id to the disk that is no GUID", () => {
  for (const id of ["", "..", "../../etc/passwd", "5b1c7e2a"]) {
    assert.equal(step(UNKNOWN_LATCH, status(id)).effect?.kind, "acquire", id);
  }
});

Deno.test("step() does nothing while the host names the key that is held", () => {
  const latch = confirmed(G1);
  const { next, effect } = step(latch, status(guid(1), 99));
  assert.equal(effect, null);
  assert.deepEqual(heldKey(next), heldKey(latch));
});

Deno.test("step() compares ids by case", () => {
  const upper = "AAAAAAAA-0000-4000-8000-000000000001";
  const latch = confirmed(grant(upper));
  assert.equal(step(latch, status(upper.toLowerCase())).effect?.kind, "load");
});

Deno.test("step() keeps the old key in use until the new one is attested", () => {
  let latch = confirmed(G1);
  const events = [status(guid(2)), { kind: "none-stored" } as const, ...acquired(G2)];
  for (const event of events.slice(0, -1)) {
    latch = step(latch, event).next;
    assert.equal(heldKey(latch)?.key, G1.key, event.kind);
  }
  assert.equal(heldKey(step(latch, events.at(-1)!).next)?.key, G2.key);
});

Deno.test("step() keeps the old key when any step on the way fails, and starts anew at the next status", () => {
  const way = [status(guid(2)), { kind: "none-stored" } as const, ...acquired(G2)];
  for (const upTo of [2, 3, 4, 5]) {
    const { latch } = run(confirmed(G1), [...way.slice(0, upTo), { kind: "failed" }]);
    assert.equal(heldKey(latch)?.key, G1.key);
    assert.equal(step(latch, status(guid(2))).effect?.kind, "load");
    // The host goes back to the key that is held: nothing more to do.
    const back = step(latch, status(guid(1)));
    assert.equal(back.effect, null);
    assert.equal(back.next.state, "latched");
  }
});

Deno.test("step() tries again at the next status when there is no key at all", () => {
  const { latch } = run(UNKNOWN_LATCH, [status(null), { kind: "failed" }]);
  assert.equal(heldKey(latch), null);
  assert.equal(step(latch, status(null, 1)).effect?.kind, "acquire");
});

Deno.test("step() drops the key when the host wants none", () => {
  for (const latch of [UNKNOWN_LATCH, confirmed(G1)]) {
    const { next, effect } = step(latch, DISABLED);
    assert.deepEqual(next, { state: "disabled" });
    assert.equal(effect, null);
    assert.equal(heldKey(next), null);
  }
});

Deno.test("step() loads the key again when the host wants one again", () => {
  const { effects } = run(confirmed(G1), [DISABLED, status(guid(1))]);
  assert.deepEqual(effects, ["-", "load"]);
});

Deno.test("step() asks a host that never names the key it took less and less often", () => {
  let { latch } = run(UNKNOWN_LATCH, [status(null), ...acquired(G1, 0)]);
  let attestedMs = 0;
  let expectedMs = REACQUIRE_FIRST_MS;
  for (let round = 0; round < 8; round++) {
    assert.equal(step(latch, status(null, attestedMs + expectedMs - 1)).effect, null);
    attestedMs += expectedMs;
    latch = run(latch, [status(null, attestedMs), ...acquired(G2, attestedMs)]).latch;
    assert.equal(heldKey(latch)?.key, G2.key);
    expectedMs = Math.min(expectedMs * 2, REACQUIRE_CAP_MS);
  }
  assert.equal(expectedMs, REACQUIRE_CAP_MS);
});

Deno.test("step() keeps signing with the key that the host does not name", () => {
  const { latch } = run(UNKNOWN_LATCH, [status(null), ...acquired(G1, 0), status(null, 15_000)]);
  assert.equal(heldKey(latch)?.key, G1.key);
});

Deno.test("step() becomes patient with a host that names a foreign key, too", () => {
  const foreign = guid(99);
  const { latch } = run(UNKNOWN_LATCH, [
    status(foreign),
    { kind: "none-stored" },
    ...acquired(G1, 0),
  ]);
  const { effects } = run(latch, [status(foreign, 15_000), { kind: "none-stored" }]);
  assert.deepEqual(effects, ["load", "-"]);
});

Deno.test("step() follows at once when the host changes its word after an attestation", () => {
  const { latch } = run(UNKNOWN_LATCH, [status(null), ...acquired(G1, 0)]);
  const { effects } = run(latch, [status(guid(2), 1_000), { kind: "none-stored" }]);
  assert.deepEqual(effects, ["load", "acquire"]);
});

Deno.test("step() does not follow a host that changes its word each time for ever", () => {
  let { latch } = run(UNKNOWN_LATCH, [status(null), ...acquired(G1, 0)]);
  let acquisitions = 0;
  for (let round = 0; round < 50; round++) {
    const named = run(latch, [status(guid(100 + round), round), { kind: "none-stored" }]);
    latch = named.latch;
    if (named.effects[1] !== "acquire") continue;
    acquisitions++;
    latch = run(latch, acquired(G2, round)).latch;
  }
  assert.equal(acquisitions, 4);
});

Deno.test("step() forgets its patience once the host confirms", () => {
  const { latch } = run(UNKNOWN_LATCH, [
    status(null),
    ...acquired(G1, 0),
    status(guid(1), 15_000),
  ]);
  const { effects } = run(latch, [status(guid(2), 30_000), { kind: "none-stored" }]);
  assert.deepEqual(effects, ["load", "acquire"]);
});

Deno.test("step() throws on an outcome that nobody waits for", () => {
  const events: LatchEvent[] = [
    ...acquired(G1),
    { kind: "loaded", key: G1.key, stage: "attested" },
    { kind: "none-stored" },
    { kind: "failed" },
  ];
  for (const event of events) {
    for (const latch of [UNKNOWN_LATCH, confirmed(G1), step(UNKNOWN_LATCH, DISABLED).next]) {
      assert.throws(() => step(latch, event), TypeError, event.kind);
    }
    const { next: acquiring } = step(UNKNOWN_LATCH, status(null));
    if (event.kind === "granted" || event.kind === "failed") continue;
    assert.throws(() => step(acquiring, event), /step acquire/, event.kind);
  }
  const { next: loading } = step(UNKNOWN_LATCH, status(guid(1)));
  assert.throws(() => step(loading, { kind: "granted", grant: G1 }), /step load/);
});
