import assert from "node:assert/strict";
import { ReadBuffer } from "../../../../src/agent/http1/mod.ts";

Deno.test("ReadBuffer append() and take() keep the bytes in order", () => {
  const buffer = new ReadBuffer(4, 16);
  assert.equal(buffer.append(new Uint8Array([1, 2, 3])), 3);
  buffer.take(2);
  assert.equal(buffer.append(new Uint8Array([4, 5, 6, 7])), 4);
  assert.deepEqual([...buffer.bytes.subarray(buffer.start, buffer.end)], [3, 4, 5, 6, 7]);
});

Deno.test("ReadBuffer never grows above its limit", () => {
  const buffer = new ReadBuffer(4, 10);
  assert.equal(buffer.append(new Uint8Array(20)), 10);
  assert.equal(buffer.length, 10);
  assert.equal(buffer.space().length, 0);
  assert.equal(buffer.append(new Uint8Array(1)), 0);
});

Deno.test("ReadBuffer space() compacts instead of growing when most was taken", () => {
  const buffer = new ReadBuffer(8, 64);
  buffer.append(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]));
  buffer.take(6);
  assert.equal(buffer.space().length, 6);
  assert.equal(buffer.bytes.length, 8);
  assert.deepEqual([...buffer.bytes.subarray(0, 2)], [7, 8]);
});

Deno.test("ReadBuffer space() grows when most is waiting", () => {
  const buffer = new ReadBuffer(4, 64);
  buffer.append(new Uint8Array([1, 2, 3, 4]));
  assert.equal(buffer.space().length, 4);
  assert.deepEqual([...buffer.bytes.subarray(0, 4)], [1, 2, 3, 4]);
});

Deno.test("ReadBuffer filled() counts what was received into space()", () => {
  const buffer = new ReadBuffer(4, 8);
  buffer.space().set([9, 8]);
  buffer.filled(2);
  assert.deepEqual([...buffer.bytes.subarray(buffer.start, buffer.end)], [9, 8]);
});

Deno.test("ReadBuffer release() gives memory back only when nothing waits", () => {
  const buffer = new ReadBuffer(4, 64);
  buffer.reserve(40);
  assert.ok(buffer.bytes.length >= 40);
  buffer.append(new Uint8Array(1));
  buffer.release();
  assert.ok(buffer.bytes.length >= 40);
  buffer.take(1);
  buffer.release();
  assert.equal(buffer.bytes.length, 4);
});
