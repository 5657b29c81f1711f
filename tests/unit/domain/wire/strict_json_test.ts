import assert from "node:assert/strict";
import { canonicalJson, jsonPathStep, parseStrictJson } from "../../../../src/domain/wire/mod.ts";

function valueOf(text: string): unknown {
  const parsed = parseStrictJson(text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

function faultOf(text: string, maxDepth?: number) {
  const parsed = parseStrictJson(text, maxDepth);
  assert.ok(!parsed.ok, text);
  return parsed.error;
}

Deno.test("parseStrictJson() reads every kind of value", () => {
  assert.equal(valueOf(" null "), null);
  assert.equal(valueOf("true"), true);
  assert.equal(valueOf("\tfalse\r\n"), false);
  assert.equal(valueOf("-12.50e+2"), -1250);
  assert.equal(valueOf("0"), 0);
  assert.ok(Object.is(valueOf("-0"), -0));
  assert.equal(valueOf("1e999"), Infinity);
  assert.equal(
    valueOf('"a\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00é"'),
    'a"\\/\b\f\n\r\té😀é',
  );
  assert.deepEqual(valueOf("[]"), []);
  assert.deepEqual(valueOf("[1, [2], {}]"), [1, [2], new Map()]);
  assert.deepEqual(valueOf('{"a": {"b": []}}'), new Map([["a", new Map([["b", []]])]]));
});

Deno.test("parseStrictJson() keeps __proto__ an ordinary member", () => {
  const value = valueOf('{"__proto__": {"x": 1}, "constructor": 2}');
  assert.deepEqual(
    value,
    new Map<string, unknown>([["__proto__", new Map([["x", 1]])], ["constructor", 2]]),
  );
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});

Deno.test("parseStrictJson() refuses a repeated member at any depth and says where", () => {
  assert.deepEqual(faultOf('{"a":1,"a":2}'), {
    code: "JSON_DUPLICATE_MEMBER",
    offset: 7,
    path: "$.a",
  });
  assert.deepEqual(faultOf('{"x":[0,{"b c":1,"b\\u0020c":1}]}'), {
    code: "JSON_DUPLICATE_MEMBER",
    offset: 17,
    path: '$.x[1]["b c"]',
  });
});

Deno.test("parseStrictJson() bounds nesting", () => {
  assert.equal(faultOf("[[[]]]", 2).code, "JSON_TOO_DEEP");
  assert.equal(faultOf('{"a":{"b":{}}}', 2).path, "$.a.b");
  assert.ok(parseStrictJson("[[1]]", 2).ok);
  assert.ok(parseStrictJson("[".repeat(128) + "]".repeat(128)).ok);
  assert.equal(faultOf("[".repeat(129) + "]".repeat(129)).code, "JSON_TOO_DEEP");
  assert.equal(faultOf("[".repeat(1_000_000)).code, "JSON_TOO_DEEP");
});

Deno.test("parseStrictJson() refuses what is no JSON, with the offset", () => {
  const offsets: [string, number][] = [
    ["", 0],
    [" ", 1],
    ["nul", 0],
    ["True", 0],
    ["01", 1],
    ["-", 0],
    [".5", 0],
    ["1.", 1],
    ["1e", 1],
    ["+1", 0],
    ["NaN", 0],
    ["'a'", 0],
    ['"a', 2],
    ['"a\nb"', 2],
    ['"\\x"', 2],
    ['"\\u12"', 3],
    ["[1,]", 3],
    ["[1 2]", 3],
    ["[", 1],
    ["{", 1],
    ["{,}", 1],
    ['{"a"}', 4],
    ['{"a":}', 5],
    ['{"a":1,}', 7],
    ['{"a":1 "b":2}', 7],
    ["{a:1}", 1],
    ["\ufeff1", 0],
    ["\u00a01", 0],
  ];
  for (const [text, offset] of offsets) {
    const fault = faultOf(text);
    assert.equal(fault.offset, offset, JSON.stringify(text));
    assert.equal(
      fault.code,
      text === "01" || text === "1." || text === "1e" ? "JSON_TRAILING_TEXT" : "JSON_SYNTAX",
    );
    assert.throws(() => JSON.parse(text));
  }
  assert.deepEqual(faultOf('{"a":[1,{"b":x}]}'), {
    code: "JSON_SYNTAX",
    offset: 13,
    path: "$.a[1].b",
  });
  assert.deepEqual(faultOf("{} {}"), { code: "JSON_TRAILING_TEXT", offset: 3, path: "$" });
});

Deno.test("jsonPathStep() quotes odd names and cuts long ones", () => {
  assert.equal(jsonPathStep(3), "[3]");
  assert.equal(jsonPathStep("a_1"), ".a_1");
  assert.equal(jsonPathStep("1a"), '["1a"]');
  assert.equal(jsonPathStep('a"\n'), '["a\\"\\n"]');
  assert.equal(jsonPathStep("x".repeat(65)), `["${"x".repeat(64)}…"]`);
  assert.ok(jsonPathStep("x".repeat(63) + "😀").isWellFormed());
});

Deno.test("canonicalJson() has one spelling for each value", () => {
  const canonical = (text: string) =>
    canonicalJson(valueOf(text) as Parameters<typeof canonicalJson>[0]);
  assert.equal(
    canonical('{"b":[1, 2.0, "x"], "a":{"d":null,"c":true}}'),
    '{"a":{"c":true,"d":null},"b":[1,2,"x"]}',
  );
  assert.equal(canonical('{"a":1}'), canonical(' { "\\u0061" : 1.0 } '));
  assert.notEqual(canonical('{"a":1}'), canonical('{"a":"1"}'));
  assert.notEqual(canonical("[0]"), canonical("[-0]"));
  assert.equal(canonical("[1e999,-1e999]"), "[1e999,-1e999]");
  assert.equal(canonical('{"\\ud800":"\\ud800"}'), '{"\\ud800":"\\ud800"}');
  assert.equal(canonical("{}"), "{}");
  assert.equal(canonical("[]"), "[]");
});
