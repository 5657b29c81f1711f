import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type ChainPoint, GENESIS, sealInto } from "../../../../src/agent/audit/seal.ts";
import {
  readFirstSealOf,
  readTailOf,
  type Tail,
  WINDOW_BYTES,
} from "../../../../src/agent/audit/tail.ts";

const decoder = new TextDecoder();

/** Sealed lines, and where each of them stands in the chain. */
function chain(count: number, padding = ""): { lines: string[]; points: ChainPoint[] } {
  const bytes = new Uint8Array(64 * 1024);
  const lines: string[] = [];
  const points: ChainPoint[] = [];
  let point: ChainPoint = { seq: 0, hash: GENESIS };
  for (let i = 0; i < count; i++) {
    const sealed = sealInto(`${" ".repeat(34)}{"n":${i},"p":"${padding}"}`, point, bytes);
    point = sealed.point;
    points.push(point);
    lines.push(`${decoder.decode(bytes.subarray(0, sealed.length))}\n`);
  }
  return { lines, points };
}

function tailOf(text: string): Tail {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, text);
    return readTailOf(path) ?? assert.fail("not read");
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("readTail() finds the last record and the hashes before it", () => {
  const { lines, points } = chain(3);
  const tail = tailOf(lines.join(""));
  assert.deepEqual(tail.last, points[2]);
  assert.equal(tail.torn, null);
  assert.equal(tail.isAlien, false);
  assert.equal(tail.hashAt(2), points[1]?.hash);
  assert.equal(tail.hashAt(9), null);
});

Deno.test("readTail() of an empty file finds nothing", () => {
  const tail = tailOf("");
  assert.equal(tail.last, null);
  assert.equal(tail.torn, null);
  assert.equal(tail.isAlien, false);
});

Deno.test("readTail() measures what a crash left, with the line feed that will end it", () => {
  const { lines, points } = chain(2);
  const half = lines[1]!.slice(0, 50);
  for (const left of [half, `${half}\n`]) {
    const tail = tailOf(lines[0] + left);
    assert.deepEqual(tail.last, points[0]);
    const sha256 = createHash("sha256").update(`${half}\n`).digest("hex");
    assert.deepEqual(tail.torn, { bytes: 51, sha256 });
    assert.equal(tail.isAlien, false);
  }
  assert.equal(tailOf(half).torn?.bytes, 51);
});

Deno.test("readTail() takes a record that misses nothing but its line feed", () => {
  const { lines, points } = chain(2);
  const text = lines.join("").slice(0, -1);
  const tail = tailOf(text);
  assert.deepEqual(tail.last, points[1]);
  assert.equal(tail.torn, null);
  assert.equal(tailOf(text.replace('"n":1', '"n":8')).isAlien, true);
});

Deno.test("readTail() takes no record that does not hold, and does not call it torn", () => {
  const { lines, points } = chain(3);
  const tail = tailOf(lines[0]! + lines[1]! + lines[2]!.replace('"n":2', '"n":7'));
  assert.deepEqual(tail.last, points[1]);
  assert.equal(tail.torn, null);
  assert.equal(tail.isAlien, true);
});

Deno.test("readTail() calls many lines alien", () => {
  const { lines } = chain(1);
  assert.equal(tailOf(lines[0] + "x\n".repeat(64)).isAlien, false);
  assert.equal(tailOf(lines[0] + "x\n".repeat(65)).isAlien, true);
});

Deno.test("readTail() looks at a window of the file's end", () => {
  const { lines, points } = chain(1500, "x".repeat(800));
  const tail = tailOf(lines.join(""));
  assert.deepEqual(tail.last, points[1499]);
  assert.equal(tail.hashAt(1), null);
  const alien = tailOf(lines[0] + "x".repeat(WINDOW_BYTES + 10));
  assert.equal(alien.last, null);
  assert.equal(alien.isAlien, true);
});

Deno.test("readFirstSealOf() finds the first record that holds", () => {
  const { lines } = chain(3);
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(
    path,
    `torn\n${lines[0]!.replace('"n":0', '"n":5')}${lines[1]}${lines[2]}`,
  );
  assert.equal(readFirstSealOf(path)?.seq, 2);
  Deno.writeTextFileSync(path, "nothing\n");
  assert.equal(readFirstSealOf(path), null);
  Deno.removeSync(path);
  assert.equal(readFirstSealOf(path), null);
  assert.equal(readTailOf(path), null);
});
