import assert from "node:assert/strict";
import { PieceBuffer, prettyJsonPieces } from "../../../../src/agent/status/pretty_json.ts";

Deno.test("prettyJsonPieces() writes what JSON.stringify writes", () => {
  const deep = { a: [1, { b: ["x\ny", []] }, {}], c: { d: { e: { f: { g: { h: [true] } } } } } };
  const mapOf = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(mapOf);
    if (typeof value !== "object" || value === null) return value;
    return new Map(Object.entries(value).map(([name, member]) => [name, mapOf(member)]));
  };
  for (const value of [deep, [], {}, [{}], "x", 7, null, { "": null, 'q"': "\u2028" }]) {
    const expected = JSON.stringify(value, null, 2);
    assert.equal([...prettyJsonPieces(mapOf(value))].join(""), expected);
  }
});

Deno.test("prettyJsonPieces() leaves out null members of plain objects, and lists sets", () => {
  const value = new Map<string, unknown>([
    ["set", new Set(["a", "b"])],
    ["plain", { x: null, y: new Map([["z", "1"]]) }],
    ["__proto__", new Map([["n", null]])],
  ]);
  assert.equal(
    [...prettyJsonPieces(value)].join("").replace(/\s/g, ""),
    '{"set":["a","b"],"plain":{"y":{"z":"1"}},"__proto__":{"n":null}}',
  );
});

Deno.test("PieceBuffer joins pieces of any size", () => {
  const buffer = new PieceBuffer();
  const pieces = ["é", "x".repeat(70_000), "", "y"];
  for (const piece of pieces) buffer.add(piece);
  const chunks = buffer.chunks();
  assert.equal(chunks.length, 2);
  const text = chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
  assert.equal(text, pieces.join(""));
});
