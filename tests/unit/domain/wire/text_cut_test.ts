import assert from "node:assert/strict";
import { cutToBytes } from "../../../../src/domain/wire/mod.ts";

Deno.test("cutToBytes() keeps whole characters and counts as UTF-8 does", () => {
  assert.equal(cutToBytes("abc", 3), "abc");
  assert.equal(cutToBytes("abcd", 3), "abc");
  assert.equal(cutToBytes("aé", 2), "a");
  assert.equal(cutToBytes("aé", 3), "aé");
  assert.equal(cutToBytes("a€", 3), "a");
  assert.equal(cutToBytes("😀x", 4), "😀");
  assert.equal(cutToBytes("😀x", 3), "");
  assert.equal(cutToBytes("\ud800x", 3), "\ud800");
  assert.equal(cutToBytes("x", 0), "");
});
