import assert from "node:assert/strict";
import {
  type Line,
  LineSplitter,
  readLines,
} from "../../../../src/operator/policy_tools/line_splitter.ts";
import { sourceOf } from "./samples.ts";

async function linesOf(bytes: string | Uint8Array, atOnce: number, longest = 100) {
  const found: Line[] = [];
  for await (const lines of readLines(sourceOf(bytes, atOnce), longest)) found.push(...lines);
  return found;
}

Deno.test("readLines() finds the same lines however the bytes arrive", async () => {
  const text = "one\ntwo\r\n\nünf\nlast without end";
  for (let atOnce = 1; atOnce <= 40; atOnce++) {
    const lines = await linesOf(text, atOnce);
    assert.deepEqual(lines, ["one", "two", "", "ünf", "last without end"], `${atOnce}`);
  }
  assert.deepEqual(await linesOf("", 3), []);
  assert.deepEqual(await linesOf("a\n", 3), ["a"]);
});

Deno.test("readLines() goes on behind a line that is too long, and keeps none of it", async () => {
  for (const atOnce of [1, 5, 1000]) {
    const lines = await linesOf(`${"x".repeat(101)}\n${"y".repeat(100)}\r\nz`, atOnce);
    assert.deepEqual(lines, [
      { fault: "the line is longer than 100 bytes" },
      "y".repeat(100),
      "z",
    ]);
  }
  assert.deepEqual(await linesOf("x".repeat(300), 50), [
    { fault: "the line is longer than 100 bytes" },
  ]);
});

Deno.test("readLines() names a line that is not UTF-8, and reads the others", async () => {
  const bytes = Uint8Array.from([0x61, 0x0a, 0xff, 0x0a, 0x62, 0x0a, 0xc3]);
  for (const atOnce of [1, 100]) {
    assert.deepEqual(await linesOf(bytes, atOnce), [
      "a",
      { fault: "the line is not UTF-8" },
      "b",
      { fault: "the line is not UTF-8" },
    ]);
  }
});

Deno.test("LineSplitter.push() does not keep the caller's buffer", () => {
  const splitter = new LineSplitter(100);
  const buffer = new TextEncoder().encode("ab");
  assert.deepEqual(splitter.push(buffer), []);
  buffer.fill(0x7a);
  assert.deepEqual(splitter.push(new TextEncoder().encode("c\n")), ["abc"]);
  assert.equal(splitter.end(), null);
});
