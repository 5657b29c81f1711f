import assert from "node:assert/strict";
import {
  isKeyGuid,
  KeyDocument,
  keyFileName,
  type KeyGuid,
  parseKeyFile,
  parseKeyGrant,
} from "../../../../src/domain/wire/mod.ts";
import { SAMPLE_GUID, SAMPLE_KEY_HEX } from "../sample_values.ts";

const GRANT = {
  authorizationScheme: "Azure-HMAC-SHA256",
  guid: SAMPLE_GUID,
  incarnationId: 2 as number | null,
  issued: "2026-01-06T07:08:09Z",
  key: SAMPLE_KEY_HEX,
};

const FILE = `{
  "authorizationScheme": "Azure-HMAC-SHA256",
  "incarnationId": 2,
  "guid": "5b1c7e2a-9d40-4c58-8f0e-3a6d2f917c44",
  "issued": "2026-01-06T07:08:09Z",
  "key": "0F1E2D3C4B5A69788796A5B4C3D2E1F000112233445566778899AABBCCDDEEFF"
}`;

function granted(change: Record<string, unknown> = {}): KeyDocument {
  const parsed = parseKeyGrant(JSON.stringify({ ...GRANT, ...change }));
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

Deno.test("parseKeyGrant() reads the host's answer", () => {
  const key = granted();
  assert.equal(key.guid, SAMPLE_GUID);
  assert.equal(key.incarnationId, 2);
  assert.equal(key.issued, "2026-01-06T07:08:09Z");
  assert.equal(key.authorizationScheme, "Azure-HMAC-SHA256");
  assert.equal(key.keyHex(), SAMPLE_KEY_HEX);
  assert.equal(granted({ incarnationId: undefined }).incarnationId, null);
});

Deno.test("parseKeyGrant() refuses missing members and ids that are no GUID, without repeating the key", () => {
  for (const name of ["authorizationScheme", "guid", "issued", "key"]) {
    const parsed = parseKeyGrant(JSON.stringify({ ...GRANT, [name]: undefined }));
    assert.ok(!parsed.ok);
    assert.deepEqual([parsed.error.code, parsed.error.path], ["MEMBER_MISSING", `$.${name}`]);
  }
  for (
    const guid of ["../../etc/shadow", "", "a.b", `${SAMPLE_GUID} `, SAMPLE_GUID.replace("-", "_")]
  ) {
    const parsed = parseKeyGrant(JSON.stringify({ ...GRANT, guid }));
    assert.ok(!parsed.ok, guid);
    assert.deepEqual([parsed.error.code, parsed.error.path], ["MEMBER_VALUE", "$.guid"]);
    assert.ok(!JSON.stringify(parsed.error).includes(SAMPLE_KEY_HEX));
  }
  const broken = parseKeyGrant(JSON.stringify(GRANT).slice(0, -1));
  assert.ok(!broken.ok && !JSON.stringify(broken.error).includes(SAMPLE_KEY_HEX));
});

Deno.test("KeyDocument.fileText() is the documented file, byte for byte, and reads back", () => {
  assert.equal(granted().fileText(), FILE);
  assert.equal(
    granted({ incarnationId: null }).fileText(),
    FILE.replace('  "incarnationId": 2,\n', ""),
  );
  const read = parseKeyFile(FILE, SAMPLE_GUID as KeyGuid);
  assert.ok(read.ok && read.value.sameKey(granted()));
});

Deno.test("parseKeyFile() refuses a file with another id inside", () => {
  const other = SAMPLE_GUID.replace("5b", "6b") as KeyGuid;
  const read = parseKeyFile(FILE, other);
  assert.ok(!read.ok);
  assert.deepEqual([read.error.code, read.error.path], ["MEMBER_VALUE", "$.guid"]);
  assert.ok(!parseKeyFile(FILE, SAMPLE_GUID.toUpperCase() as KeyGuid).ok);
  assert.ok(!parseKeyFile("", SAMPLE_GUID as KeyGuid).ok);
});

Deno.test("KeyDocument.sameKey() compares id and key text", () => {
  assert.equal(granted().sameKey(granted({ issued: "later", incarnationId: 9 })), true);
  assert.equal(granted().sameKey(granted({ key: SAMPLE_KEY_HEX.toLowerCase() })), false);
  assert.equal(granted().sameKey(granted({ guid: SAMPLE_GUID.replace("5b", "6b") })), false);
});

Deno.test("KeyDocument shows no key when printed, copied or serialised", () => {
  const key = granted();
  const prints = [
    String(key),
    `${key}`,
    JSON.stringify({ key }),
    Deno.inspect(key),
    JSON.stringify({ ...key }),
  ];
  for (const print of prints) assert.ok(!print.includes(SAMPLE_KEY_HEX), print);
});

Deno.test("isKeyGuid() accepts either case, and keyFileName() names the file", () => {
  assert.equal(isKeyGuid(SAMPLE_GUID), true);
  assert.equal(isKeyGuid(SAMPLE_GUID.toUpperCase()), true);
  assert.equal(isKeyGuid("00000000-0000-0000-0000-000000000000"), true);
  assert.equal(isKeyGuid("5b1c7e2a9d404c588f0e3a6d2f917c44"), false);
  assert.equal(isKeyGuid(SAMPLE_GUID + "\n"), false);
  assert.equal(keyFileName(SAMPLE_GUID as KeyGuid), `${SAMPLE_GUID}.key`);
});
