import assert from "node:assert/strict";
import { KEPT_KEYS, type KeyStore } from "../../src/agent/key_keeper/mod.ts";
import { isKeyGuid, type KeyGuid } from "../../src/domain/wire/mod.ts";
import type { AgentError } from "../../src/runtime/errors.ts";

/** A store under test, empty, with `KEPT_KEYS`; and another one over the same keys, as after a restart. */
export interface KeyStoreStand extends AsyncDisposable {
  readonly store: KeyStore;
  reopen(): KeyStore;
}

/** What every key store must do. `name` is the implementation's. */
export function keyStoreSuite(name: string, open: () => Promise<KeyStoreStand>): void {
  const test = (criterion: string, play: (stand: KeyStoreStand) => Promise<void>) =>
    Deno.test(`${name} ${criterion}`, async () => {
      await using stand = await open();
      await stand.store.open();
      await play(stand);
    });

  test("has nothing at first", async ({ store }) => {
    assert.equal(await store.read(id(1), "issued"), null);
    assert.equal(await store.read(id(1), "attested"), null);
  });

  test("open() can be called again and keeps what is there", async ({ store }) => {
    await store.write(id(1), "one");
    await store.open();
    assert.equal(await store.read(id(1), "issued"), "one");
  });

  test("write() stores the very text, as issued only", async ({ store }) => {
    const text = '{\n  "key": "ÄÖ€😀"\n}';
    await store.write(id(1), text);
    assert.equal(await store.read(id(1), "issued"), text);
    assert.equal(await store.read(id(1), "attested"), null);
    assert.equal(await store.read(id(2), "issued"), null);
  });

  test("write() replaces an issued key of the same id", async ({ store }) => {
    await store.write(id(1), "a longer text than the next");
    await store.write(id(1), "two");
    assert.equal(await store.read(id(1), "issued"), "two");
  });

  test("write() does not touch an attested key of the same id", async ({ store }) => {
    await store.write(id(1), "one");
    await store.promote(id(1));
    await store.write(id(1), "two");
    assert.equal(await store.read(id(1), "attested"), "one");
    assert.equal(await store.read(id(1), "issued"), "two");
  });

  test("storedWallMs() knows an attested key's time, and no other's", async ({ store }) => {
    assert.equal(await store.storedWallMs(id(1)), null);
    await store.write(id(1), "one");
    assert.equal(await store.storedWallMs(id(1)), null);
    await store.promote(id(1));
    const storedMs = await store.storedWallMs(id(1));
    assert.ok(storedMs !== null && Math.abs(Date.now() - storedMs) < 60_000, String(storedMs));
  });

  test("promote() makes the issued key the attested one, in place of an earlier", async ({ store }) => {
    for (const text of ["one", "two"]) {
      await store.write(id(1), text);
      await store.promote(id(1));
      assert.equal(await store.read(id(1), "attested"), text);
      assert.equal(await store.read(id(1), "issued"), null);
    }
  });

  test("promote() fails without an issued key, and keeps the attested one", async ({ store }) => {
    await store.write(id(1), "one");
    await store.promote(id(1));
    await assert.rejects(
      store.promote(id(1)),
      (error: AgentError) => error.code === "KEY_STORE_WRITE",
    );
    assert.equal(await store.read(id(1), "attested"), "one");
  });

  test("keeps everything over a restart", async ({ store, reopen }) => {
    await store.write(id(1), "one");
    await store.promote(id(1));
    await store.write(id(2), "two");
    const later = reopen();
    await later.open();
    assert.equal(await later.read(id(1), "attested"), "one");
    assert.equal(await later.read(id(2), "issued"), "two");
  });

  test("tells ids apart by case", async ({ store }) => {
    const lower = "aaaaaaaa-0000-4000-8000-000000000001" as KeyGuid;
    await store.write(lower, "lower");
    assert.equal(await store.read(lower.toUpperCase() as KeyGuid, "issued"), null);
  });

  test("prune() keeps the newest of each stage and the keys that are named", async ({ store }) => {
    const attested = KEPT_KEYS.attested + 3;
    for (let number = 1; number <= attested; number++) {
      await store.write(id(number), `${number}`);
      await store.promote(id(number));
      await tellApart();
    }
    for (let number = 101; number <= 100 + KEPT_KEYS.issued + 2; number++) {
      await store.write(id(number), `${number}`);
      await tellApart();
    }
    assert.equal(await store.prune([id(1), id(101)]), 2 + 1);
    assert.equal(await store.read(id(1), "attested"), "1");
    assert.equal(await store.read(id(2), "attested"), null);
    assert.equal(await store.read(id(3), "attested"), null);
    assert.equal(await store.read(id(4), "attested"), "4");
    assert.equal(await store.read(id(attested), "attested"), `${attested}`);
    assert.equal(await store.read(id(101), "issued"), "101");
    assert.equal(await store.read(id(102), "issued"), null);
    assert.equal(await store.read(id(103), "issued"), "103");
    assert.equal(await store.prune([id(1), id(101)]), 0);
  });

  test("prune() of an empty store removes nothing", async ({ store }) => {
    assert.equal(await store.prune([]), 0);
  });
}

/** An id that shows its number. */
export function id(number: number): KeyGuid {
  const text = `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
  assert.ok(isKeyGuid(text));
  return text;
}

/** File systems stamp in steps of a few milliseconds. */
function tellApart(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 12));
}
