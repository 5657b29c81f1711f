import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { GENESIS, hashOfLine, readSeal, sealInto } from "../../../../src/agent/audit/seal.ts";

const HEADER = "2026-07-22T21:27:45.123 [INFO]    ";

function sealed(json: string, previous = { seq: 0, hash: GENESIS }): Uint8Array {
  const bytes = new Uint8Array(4096);
  return bytes.slice(0, sealInto(HEADER + json, previous, bytes).length);
}

Deno.test("sealInto() appends number, the hash before and the hash of all bytes up to itself", () => {
  const text = new TextDecoder().decode(sealed('{"id":1,"url":"/ü"}'));
  const covered = `${HEADER}{"id":1,"url":"/ü","seq":1,"prevHash":"${GENESIS}"`;
  const hash = createHash("sha256").update(covered).digest("hex");
  assert.equal(text, `${covered},"hash":"${hash}"}`);
  assert.deepEqual(JSON.parse(text.slice(34)), {
    id: 1,
    url: "/ü",
    seq: 1,
    prevHash: GENESIS,
    hash,
  });
});

Deno.test("sealInto() returns the place that the next line continues", () => {
  const bytes = new Uint8Array(4096);
  const first = sealInto(`${HEADER}{"a":1}`, { seq: 7, hash: GENESIS }, bytes).point;
  assert.equal(first.seq, 8);
  const seal = readSeal(sealed('{"a":2}', first));
  assert.equal(seal?.seq, 9);
  assert.equal(seal?.prevHash, first.hash);
});

Deno.test("readSeal() reads the seal at the end, not one that a caller put into a text", () => {
  const forged = JSON.stringify({ url: `","seq":5,"prevHash":"${GENESIS}","hash":"${GENESIS}"}` });
  const line = sealed(forged);
  const seal = readSeal(line) ?? assert.fail("no seal");
  assert.equal(seal.seq, 1);
  assert.equal(hashOfLine(line, seal), seal.hash);
});

Deno.test("readSeal() is null for lines without a whole seal", () => {
  const line = sealed('{"a":1}');
  const text = new TextDecoder().decode(line);
  const encode = (changed: string) => new TextEncoder().encode(changed);
  assert.equal(readSeal(new Uint8Array()), null);
  assert.equal(readSeal(line.subarray(0, -1)), null);
  assert.equal(readSeal(encode(text + " ")), null);
  assert.equal(readSeal(encode(text.replace('"seq":1', '"seq":01'))), null);
  assert.equal(readSeal(encode(text.replace('"seq":1', '"seq":0'))), null);
  assert.equal(readSeal(encode(text.replace('"seq":1', '"seq":9999999999999999'))), null);
  assert.equal(readSeal(encode(text.replace(GENESIS, GENESIS.slice(1)))), null);
});

Deno.test("hashOfLine() differs for every single changed byte that leaves the seal's shape", () => {
  const line = sealed('{"a":"x"}');
  for (let at = 0; at < line.length; at++) {
    const changed = line.slice();
    changed[at] = changed[at]! ^ 1;
    const seal = readSeal(changed);
    if (seal !== null) assert.notEqual(hashOfLine(changed, seal), seal.hash, `byte ${at}`);
  }
});
