import assert from "node:assert/strict";
import { cString, fixedText, StructBuffer } from "../../../ffi/struct.ts";

Deno.test("StructBuffer keeps native fields little-endian and network fields big-endian", () => {
  const buffer = new StructBuffer(24);
  buffer.setU16(0, 0x0102);
  buffer.setNetU16(2, 0x0102);
  buffer.setU32(4, 0x01020304);
  buffer.setNetU32(8, 0x01020304);
  buffer.setU64(16, 0x0102030405060708n);
  assert.deepEqual([...buffer.bytes], [
    ...[2, 1, 1, 2],
    ...[4, 3, 2, 1],
    ...[1, 2, 3, 4],
    ...[0, 0, 0, 0],
    ...[8, 7, 6, 5, 4, 3, 2, 1],
  ]);
  assert.equal(buffer.u16(0), 0x0102);
  assert.equal(buffer.netU16(2), 0x0102);
  assert.equal(buffer.u32(4), 0x01020304);
  assert.equal(buffer.netU32(8), 0x01020304);
  assert.equal(buffer.u64(16), 0x0102030405060708n);
});

Deno.test("StructBuffer holds the largest values unsigned", () => {
  const buffer = new StructBuffer(8);
  buffer.setU64(0, 0xffffffffffffffffn);
  assert.equal(buffer.u64(0), 0xffffffffffffffffn);
  assert.equal(buffer.u32(0), 0xffffffff);
  assert.equal(buffer.u16(0), 0xffff);
});

Deno.test("StructBuffer throws where a field lies outside", () => {
  const buffer = new StructBuffer(8);
  assert.throws(() => buffer.u32(6), RangeError);
  assert.throws(() => buffer.setU64(1, 0n), RangeError);
});

Deno.test("text() ends at the first NUL and at the length given", () => {
  const buffer = new StructBuffer(16);
  buffer.bytes.set(new TextEncoder().encode("curl\0rest"), 0);
  assert.equal(buffer.text(0, 16), "curl");
  assert.equal(buffer.text(0, 3), "cur");
  assert.equal(buffer.text(4, 8), "");
});

Deno.test("fixedText() reads text without a NUL to its end, and replaces what is no UTF-8", () => {
  assert.equal(fixedText(new TextEncoder().encode("Größe")), "Größe");
  assert.equal(fixedText(new Uint8Array([0x61, 0xff, 0x62])), "a\ufffdb");
  assert.equal(fixedText(new Uint8Array()), "");
});

Deno.test("cString() ends with a NUL, counts bytes, and refuses a NUL inside", () => {
  assert.deepEqual([...cString("a")], [0x61, 0]);
  assert.deepEqual([...cString("é")], [0xc3, 0xa9, 0]);
  assert.deepEqual([...cString("")], [0]);
  assert.throws(() => cString("a\0b"), TypeError);
});
