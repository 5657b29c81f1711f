import assert from "node:assert/strict";
import { KeyRing } from "../../../src/simulator/mod.ts";

const GRACE_MS = 1_000;

/** A ring whose keys are all different and always the same. */
function ring(): KeyRing {
  let next = 0;
  return new KeyRing((count) => new Uint8Array(count).fill(++next), GRACE_MS);
}

/** A ring with a latched key. */
function latched() {
  const keys = ring();
  const key = keys.offer(0);
  keys.latch(key.guid, 0);
  return { keys, key };
}

Deno.test("offer() makes keys of 256 bits with a GUID, and remembers them", () => {
  const keys = ring();
  const key = keys.offer(Date.UTC(2026, 0, 6, 7, 8, 9, 500));
  assert.match(key.guid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(key.hex, /^[0-9A-F]{64}$/);
  assert.equal(key.incarnationId, 1);
  assert.equal(key.issued, "2026-01-06T07:08:09Z");
  assert.equal(keys.find(key.guid, 0)?.standing, "offered");
  assert.notEqual(keys.offer(0).guid, key.guid);
  assert.equal(keys.namedGuid(), null, "an offered key is not named");
});

Deno.test("offer() remembers a bounded number of keys", () => {
  const keys = ring();
  const offered = Array.from({ length: 10 }, () => keys.offer(0));
  assert.deepEqual(
    offered.map((key) => keys.find(key.guid, 0) !== null),
    [false, false, ...new Array(8).fill(true)],
  );
});

Deno.test("latch() latches an offered key, and forgets the other offers", () => {
  const keys = ring();
  const other = keys.offer(0);
  const key = keys.offer(0);
  keys.latch(key.guid, 0);
  assert.equal(keys.latched, key);
  assert.equal(keys.namedGuid(), key.guid);
  assert.equal(keys.find(key.guid, 0)?.standing, "latched");
  assert.equal(keys.find(other.guid, 0), null);
});

Deno.test("latch() of an unknown or the latched key changes nothing", () => {
  const { keys, key } = latched();
  keys.latch("nobody", 0);
  keys.latch(key.guid, 0);
  assert.equal(keys.latched, key);
  assert.equal(keys.find(key.guid, 5)?.standing, "latched");
});

Deno.test("rotate() names a new key and keeps the old one latched until the new one is attested", () => {
  const { keys, key } = latched();
  const next = keys.rotate(0);
  assert.equal(keys.namedGuid(), next.guid);
  assert.equal(keys.latched, key);
  assert.equal(keys.find(next.guid, 0), null, "not before it was handed out");
  assert.equal(keys.offer(0), next);
  assert.equal(keys.offer(0), next, "the same key, however often it is asked for");
  keys.latch(next.guid, 100);
  assert.equal(keys.latched, next);
  assert.equal(keys.announced, null);
  assert.notEqual(keys.offer(0).guid, next.guid);
});

Deno.test("find() knows a replaced key for its grace time", () => {
  const { keys, key } = latched();
  const next = keys.rotate(0);
  keys.offer(0);
  keys.latch(next.guid, 100);
  assert.equal(keys.find(key.guid, 100 + GRACE_MS - 1)?.standing, "previous");
  assert.equal(keys.find(key.guid, 100 + GRACE_MS), null);
});

Deno.test("namedGuid() lies when it is told to", () => {
  const { keys, key } = latched();
  keys.naming = "none";
  assert.equal(keys.namedGuid(), null);
  keys.naming = "foreign";
  assert.notEqual(keys.namedGuid(), key.guid);
  assert.equal(keys.find(keys.namedGuid()!, 0), null);
});

Deno.test("forget() leaves a host that knows no key", () => {
  const { keys, key } = latched();
  keys.rotate(0);
  keys.offer(0);
  keys.forget();
  assert.equal(keys.latched, null);
  assert.equal(keys.announced, null);
  assert.equal(keys.namedGuid(), null);
  assert.equal(keys.find(key.guid, 0), null);
});
