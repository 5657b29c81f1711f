import assert from "node:assert/strict";
import fc from "fast-check";
import {
  canonicalJson,
  canonicalJsonPieces,
  type JsonValue,
  parseStrictJson,
} from "../../src/domain/wire/mod.ts";
import { check } from "./check.ts";

/** What `JSON.parse` would have made of it. */
function plain(value: JsonValue): unknown {
  if (value instanceof Map) {
    const object: Record<string, unknown> = Object.create(null);
    for (const [name, member] of value) object[name] = plain(member);
    return object;
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

function withoutPrototypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototypes);
  if (typeof value !== "object" || value === null) return value;
  const object: Record<string, unknown> = Object.create(null);
  for (const [name, member] of Object.entries(value)) object[name] = withoutPrototypes(member);
  return object;
}

const document = fc.json({ maxDepth: 6, stringUnit: "binary" });

Deno.test("parseStrictJson() reads what JSON.parse reads", () => {
  check(fc.property(document, fc.constantFrom(0, 1, 2), (text, indent) => {
    const spaced = JSON.stringify(JSON.parse(text), null, indent);
    const parsed = parseStrictJson(spaced);
    assert.ok(parsed.ok, spaced);
    assert.deepEqual(plain(parsed.value), withoutPrototypes(JSON.parse(spaced)));
  }));
});

Deno.test("parseStrictJson() accepts nothing that JSON.parse refuses, and says where it stopped", () => {
  const broken = fc.tuple(document, fc.nat(), fc.string({ maxLength: 2 }), fc.nat(3)).map(
    ([text, at, insert, drop]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + insert + text.slice(place + drop);
    },
  );
  check(
    fc.property(broken, (text) => {
      const parsed = parseStrictJson(text);
      if (parsed.ok) {
        assert.deepEqual(plain(parsed.value), withoutPrototypes(JSON.parse(text)));
      } else {
        assert.ok(parsed.error.offset >= 0 && parsed.error.offset <= text.length);
        if (parsed.error.code !== "JSON_DUPLICATE_MEMBER") assert.throws(() => JSON.parse(text));
      }
    }),
    2000,
  );
});

Deno.test("parseStrictJson() always refuses a repeated member, wherever it is", () => {
  const name = fc.string({ maxLength: 4 });
  const others = fc.uniqueArray(name, { maxLength: 4 });
  const wrap = fc.array(fc.constantFrom("array", "object"), { maxLength: 5 });
  check(
    fc.property(name, others, fc.nat(), fc.nat(), wrap, (repeated, names, first, second, wraps) => {
      const members = names.filter((other) => other !== repeated).map((other) =>
        `${JSON.stringify(other)}:0`
      );
      members.splice(first % (members.length + 1), 0, `${JSON.stringify(repeated)}:1`);
      members.splice(second % (members.length + 1), 0, `${JSON.stringify(repeated)}:[]`);
      let text = `{${members.join(",")}}`;
      for (const kind of wraps) text = kind === "array" ? `[1,${text}]` : `{"w":${text}}`;
      const parsed = parseStrictJson(text);
      assert.ok(!parsed.ok, text);
      assert.equal(parsed.error.code, "JSON_DUPLICATE_MEMBER");
    }),
  );
});

Deno.test("canonicalJson() reads back to the same value and spells it the same again", () => {
  check(fc.property(document, (text) => {
    const value = parseStrictJson(text);
    assert.ok(value.ok);
    const canonical = canonicalJson(value.value);
    const again = parseStrictJson(canonical);
    assert.ok(again.ok);
    assert.deepEqual(plain(again.value), plain(value.value));
    assert.equal(canonicalJson(again.value), canonical);
  }));
});

Deno.test("canonicalJsonPieces() are the canonical text", () => {
  const long = fc.array(fc.json({ maxDepth: 2 }), { minLength: 0, maxLength: 200 })
    .map((elements) => `{"list":[${elements.join(",")}],"z":{},"a":[]}`);
  check(fc.property(fc.oneof(document, long), (text) => {
    const parsed = parseStrictJson(text);
    assert.ok(parsed.ok);
    assert.equal([...canonicalJsonPieces(parsed.value)].join(""), canonicalJson(parsed.value));
  }));
});
