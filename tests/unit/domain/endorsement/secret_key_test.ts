import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { latchedKey, SecretKey } from "../../../../src/domain/endorsement/mod.ts";
import { KeyDocument, type KeyGuid } from "../../../../src/domain/wire/mod.ts";
import { readVectors } from "../../../vectors/read.ts";
import { SAMPLE_GUID, SAMPLE_KEY_HEX, sampleKey } from "../sample_values.ts";

interface Mac {
  readonly keyHex: string;
  readonly messageHex: string;
  readonly mac: string;
}

interface BadKey {
  readonly keyHex: string;
  readonly code: string;
}

function secretOf(hex: string): SecretKey {
  const secret = SecretKey.fromHex(hex);
  assert.ok(secret.ok);
  return secret.value;
}

for (const vector of readVectors<Mac>("signing/hmac.json", ["keyHex", "messageHex", "mac"])) {
  Deno.test(`SecretKey.mac() computes ${vector.id}`, () => {
    const secret = secretOf(vector.keyHex);
    const message = Buffer.from(vector.messageHex, "hex");
    assert.equal(secret.mac(message), vector.mac, vector.why);
    assert.equal(secret.mac(message), vector.mac, "a second time");
  });
}

Deno.test("SecretKey.mac() takes a text for the bytes of its UTF-8", () => {
  const secret = secretOf(SAMPLE_KEY_HEX);
  for (const text of ["", "GET\n\n/\n", "x".repeat(5000), "\u00e9\u20ac"]) {
    assert.equal(secret.mac(text), secret.mac(new TextEncoder().encode(text)));
  }
});

for (const vector of readVectors<BadKey>("signing/hmac.json", ["keyHex", "code"], "badKeys")) {
  Deno.test(`SecretKey.fromHex() refuses ${vector.id}`, () => {
    assert.deepEqual(SecretKey.fromHex(vector.keyHex), { ok: false, error: vector.code });
  });
}

Deno.test("SecretKey.equals() compares what the keys are", () => {
  assert.equal(secretOf(SAMPLE_KEY_HEX).equals(secretOf(SAMPLE_KEY_HEX.toLowerCase())), true);
  assert.equal(secretOf(SAMPLE_KEY_HEX).equals(secretOf("00")), false);
});

Deno.test("SecretKey shows nothing when printed, serialised, spread or inspected", () => {
  const secret = secretOf(SAMPLE_KEY_HEX);
  assert.equal(String(secret), "[secret]");
  assert.equal(JSON.stringify({ secret }), '{"secret":"[secret]"}');
  assert.equal(Deno.inspect(secret), "[secret]");
  assert.deepEqual(Object.keys({ ...secret }), []);
  const inspectForNode = Reflect.get(secret, Symbol.for("nodejs.util.inspect.custom"));
  assert.equal(inspectForNode.call(secret), "[secret]");
});

Deno.test("latchedKey() takes id, key and incarnation of a document", () => {
  const key = sampleKey();
  assert.equal(key.guid, SAMPLE_GUID);
  assert.equal(key.incarnationId, 2);
  assert.equal(key.secret.equals(secretOf(SAMPLE_KEY_HEX)), true);
});

Deno.test("latchedKey() refuses a document whose key is no hex", () => {
  const document = new KeyDocument("s", null, SAMPLE_GUID as KeyGuid, "i", "xyz");
  assert.deepEqual(latchedKey(document), { ok: false, error: "KEY_NOT_HEX" });
});
