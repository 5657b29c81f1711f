import assert from "node:assert/strict";
import { SchemaChecker } from "../../../../src/domain/wire/schema_checker.ts";
import { parseStrictJson } from "../../../../src/domain/wire/mod.ts";

const LIST = new SchemaChecker({
  type: "object",
  properties: { list: { type: "array", items: { type: "integer", minimum: 0, maximum: 9 } } },
});

function value(text: string) {
  const parsed = parseStrictJson(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

Deno.test("SchemaChecker.steps() pauses in long lists and finds the fault at their end", () => {
  const long = value(`{"list":[${Array(2_000).fill(3).join(",")},10]}`);
  let pauses = 0;
  const steps = LIST.steps(long);
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) pauses++;
  assert.equal(pauses, 15);
  assert.deepEqual(step.value, {
    code: "MEMBER_TYPE",
    path: "$.list[2000]",
    message: "$.list[2000] is 10, must be an integer from 0 to 9",
  });
});

Deno.test("SchemaChecker.check() starts its paths where it is told", () => {
  assert.equal(LIST.check(value('{"list":true}'), "$.a")?.path, "$.a.list");
  assert.equal(LIST.check(value('{"list":[]}'), "$.a"), null);
});

Deno.test("SchemaChecker follows definitions and refuses schemas of other kinds", () => {
  const referring = new SchemaChecker({
    $ref: "#/$defs/x",
    $defs: { x: { type: ["boolean", "null"] } },
  });
  assert.equal(referring.check(null), null);
  assert.equal(referring.check("a")?.message, '$ is "a", must be true or false');
  for (
    const schema of [
      { $ref: "#/$defs/toString" },
      { type: "number" },
      { type: "array" },
      { anyOf: [{ type: "string" }, { type: "boolean" }] },
      { type: ["string", "boolean"] },
    ]
  ) assert.throws(() => new SchemaChecker(schema), TypeError);
});
