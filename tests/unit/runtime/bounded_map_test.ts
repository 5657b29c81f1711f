import assert from "node:assert/strict";
import { BoundedMap } from "../../../src/runtime/bounded_map.ts";

Deno.test("BoundedMap.set() makes room by forgetting the entry that was not asked for the longest", () => {
  const evicted: [string, number][] = [];
  const map = new BoundedMap<string, number>(2, (key, value) => evicted.push([key, value]));
  map.set("a", 1);
  map.set("b", 2);
  assert.equal(map.get("a"), 1);
  map.set("c", 3);
  assert.deepEqual(evicted, [["b", 2]]);
  assert.deepEqual([...map.entries()], [["a", 1], ["c", 3]]);
});

Deno.test("BoundedMap.set() of a known key evicts nobody", () => {
  const map = new BoundedMap<string, number>(2, () => assert.fail("evicted"));
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  assert.equal(map.size, 2);
  assert.equal(map.peek("a"), 3);
});

Deno.test("BoundedMap.peek() does not make an entry younger", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.peek("a");
  map.set("c", 3);
  assert.equal(map.peek("a"), undefined);
});

Deno.test("BoundedMap.delete() forgets without telling", () => {
  const map = new BoundedMap<string, number>(2, () => assert.fail("evicted"));
  map.set("a", 1);
  map.delete("a");
  assert.equal(map.get("a"), undefined);
  assert.equal(map.size, 0);
});

Deno.test("BoundedMap never holds more than its capacity", () => {
  const map = new BoundedMap<number, number>(7);
  for (let i = 0; i < 1000; i++) {
    map.set(i % 13, i);
    map.get(i % 5);
    assert.ok(map.size <= 7);
  }
});

Deno.test("BoundedMap refuses a capacity below one", () => {
  assert.throws(() => new BoundedMap(0), RangeError);
});
