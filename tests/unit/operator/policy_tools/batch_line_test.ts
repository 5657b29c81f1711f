import assert from "node:assert/strict";
import { memberTexts } from "../../../../src/operator/policy_tools/batch_line.ts";

Deno.test("memberTexts() gives the text of each value", () => {
  const text = ' {"a" : {"b":[1,"}"]} ,"c":"x\\"y\\\\", "d":-1.5e3,"e":[] ,"f":null}\t';
  const found = memberTexts(text);
  assert.ok(found.ok);
  assert.deepEqual([...found.value], [
    ["a", '{"b":[1,"}"]}'],
    ["c", '"x\\"y\\\\"'],
    ["d", "-1.5e3"],
    ["e", "[]"],
    ["f", "null"],
  ]);
  const empty = memberTexts("{ }");
  assert.ok(empty.ok && empty.value.size === 0);
});

Deno.test("memberTexts() says what is wrong and where", () => {
  for (
    const [text, error] of [
      ["", "the line is no JSON object"],
      ["[1]", "the line is no JSON object"],
      ["{} x", "text after the object at offset 3"],
      ['{"a":1} {}', "text after the object at offset 8"],
      ['{"a":1,"a":2}', "$.a occurs twice"],
      ['{"a":1', "not JSON at offset 6"],
      ['{"a":1,}', "not JSON at offset 7"],
      ['{"a" 1}', "not JSON at offset 5"],
      ["{a:1}", "not JSON at offset 1"],
      ['{"a":}', "not JSON at offset 5"],
      ['{"a":"x}', "not JSON at offset 5"],
      ['{"a":{"b":1}', "not JSON at offset 12"],
      ['{"a":{"b":"}}', "not JSON at offset 5"],
      ['{"a":[[1]', "not JSON at offset 5"],
      ['{"a', "not JSON at offset 1"],
      ['{"\\u0061":1}', "a member has an odd name at offset 1"],
    ] as const
  ) {
    assert.deepEqual(memberTexts(text), { ok: false, error }, text);
  }
});
