import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { bytesToSign, signatureOf, splitTarget } from "../../../src/simulator/canonical.ts";
import { SecretKey } from "../../../src/domain/endorsement/mod.ts";
import { readVectorFile, readVectors } from "../../vectors/read.ts";

interface SignedVector {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly bodyHex: string;
  readonly canonicalSha256: string;
  readonly canonicalLength: number;
  readonly signature: string;
}

const FILE = "signing/requests.json";
const KEY = SecretKey.fromHex(String(readVectorFile(FILE)["keyHex"]));
assert.ok(KEY.ok);
const { value: key } = KEY;

function rawHead(method: string, target: string, headers: SignedVector["headers"]): Uint8Array {
  const lines = [`${method} ${target} HTTP/1.1`, ...headers.map((field) => field.join(": "))];
  return Buffer.from(lines.join("\r\n") + "\r\n\r\n", "latin1");
}

for (
  const vector of readVectors<SignedVector>(FILE, [
    "method",
    "target",
    "headers",
    "bodyHex",
    "canonicalSha256",
    "canonicalLength",
    "signature",
  ])
) {
  Deno.test(`signatureOf() finds the signature of vector ${vector.id} in the raw bytes`, () => {
    const head = rawHead(vector.method, vector.target, vector.headers);
    const body = Uint8Array.from(Buffer.from(vector.bodyHex, "hex"));
    const text = bytesToSign(head, body);
    assert.equal(text.length, vector.canonicalLength);
    assert.equal(createHash("sha256").update(text).digest("hex"), vector.canonicalSha256);
    assert.equal(signatureOf(head, body, key), vector.signature);
  });
}

Deno.test("bytesToSign() leaves the signature's own field out, in any case", () => {
  const bare = rawHead("GET", "/", [["host", "x"]]);
  const signed = rawHead("GET", "/", [["host", "x"], ["X-MS-Azure-Host-Authorization", "y"]]);
  assert.deepEqual(bytesToSign(signed, new Uint8Array()), bytesToSign(bare, new Uint8Array()));
});

Deno.test("bytesToSign() keeps bytes above ASCII as they are", () => {
  const head = rawHead("GET", "/", [["x", "\xe4\xff"]]);
  const text = Buffer.from(bytesToSign(head, Uint8Array.of(0x80))).toString("latin1");
  assert.equal(text, "GET\n\x80\nx:\xe4\xff\n/\n");
});

Deno.test("splitTarget() knows all forms of a target", () => {
  const cases: [string, string, string][] = [
    ["/a/b?c=d?e#f", "/a/b", "c=d?e"],
    ["/a#b?c", "/a", ""],
    ["http://host:80/a?b", "/a", "b"],
    ["http://host?b", "/", "b"],
    ["http://host", "/", ""],
    ["*", "*", ""],
    ["foo", "", ""],
    ["/x?u=http://y/z", "/x", "u=http://y/z"],
  ];
  for (const [target, path, query] of cases) {
    assert.deepEqual(splitTarget(target), { path, query }, target);
  }
});
