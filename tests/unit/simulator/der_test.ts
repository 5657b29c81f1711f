import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { childrenOf, DER, der, integer, objectId, sequence } from "../../../src/simulator/der.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

Deno.test("der() writes lengths in the shortest form", () => {
  assert.equal(hex(der(DER.NULL)), "0500");
  const rows = [[127, "047f"], [128, "048180"], [255, "0481ff"], [256, "04820100"]] as const;
  for (const [count, head] of rows) {
    const text = hex(der(DER.OCTET_STRING, Buffer.alloc(count)));
    assert.equal(text, head + "00".repeat(count));
  }
});

Deno.test("integer() keeps a number whose first bit is set from being a negative one", () => {
  assert.equal(hex(integer(2)), "020102");
  assert.equal(hex(integer(200)), "020200c8");
  assert.equal(hex(integer(Uint8Array.of(0x7f, 0xff))), "02027fff");
});

Deno.test("objectId() writes each number in base 128", () => {
  assert.equal(hex(objectId("2.5.4.3")), "0603550403");
  assert.equal(hex(objectId("1.2.840.113549.1.1.11")), "06092a864886f70d01010b");
});

Deno.test("childrenOf() gives what sequence() was made of, and null for what is cut short or no value", () => {
  const parts = [integer(1), der(DER.OCTET_STRING, Buffer.alloc(300, 7)), sequence(integer(2))];
  const whole = sequence(...parts);
  assert.deepEqual(childrenOf(whole)?.map(hex), parts.map(hex));
  assert.deepEqual(childrenOf(sequence()), []);
  for (let length = 0; length < whole.length; length++) {
    assert.equal(childrenOf(whole.subarray(0, length)), null, `${length} bytes`);
  }
  assert.equal(childrenOf(Buffer.concat([whole, Buffer.alloc(1)])), null, "something behind it");
  assert.equal(childrenOf(Uint8Array.of(0x30, 0x84, 0, 0, 0, 0)), null, "an absurd length");
  assert.equal(childrenOf(sequence(Uint8Array.of(0x04, 0x05))), null, "an inner one cut short");
});
