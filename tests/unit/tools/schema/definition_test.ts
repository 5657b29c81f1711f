import assert from "node:assert/strict";
import { type DefinitionName, DEFINITIONS } from "../../../../tools/schema/definition.ts";
import { schemaText, schemaTextOf } from "../../../../tools/schema/generate.ts";
import { CONFIG_DEFINITION } from "../../../../tools/schema/config_definition.ts";

const FOLDER = new URL("../../../../src/domain/wire/schema/", import.meta.url);
const NAMES = Object.keys(DEFINITIONS) as DefinitionName[];

for (const name of NAMES) {
  Deno.test(`schemaText() is what the product carries: ${name}`, async () => {
    const kept = await Deno.readTextFile(new URL(`${name}.json`, FOLDER));
    assert.equal(kept, schemaText(name), "run tools/schema/main.ts");
  });
}

Deno.test("schemaTextOf() is what the product carries: the configuration", async () => {
  const kept = await Deno.readTextFile(
    new URL("../../../../src/config_schema.json", import.meta.url),
  );
  assert.equal(kept, schemaTextOf(CONFIG_DEFINITION), "run tools/schema/main.ts");
});

/** What the checker decides by, and what only editors look at. */
const DECIDING = ["$ref", "$defs", "anyOf", "type", "pattern", "minimum", "maximum", "minItems"];
const STRUCTURE = ["items", "properties", "required", "propertyNames", "additionalProperties"];
const TELLING = [
  "$schema",
  "title",
  "description",
  "examples",
  "errorMessage",
  "uniqueItems",
  "default",
];

Deno.test("schemaText() uses no keyword that nobody has thought of", () => {
  const known = new Set([...DECIDING, ...STRUCTURE, ...TELLING]);
  const found = new Set<string>();
  const look = (schema: unknown): void => {
    if (typeof schema !== "object" || schema === null) return;
    if (Array.isArray(schema)) return schema.forEach(look);
    for (const [keyword, value] of Object.entries(schema)) {
      found.add(keyword);
      if (keyword === "properties" || keyword === "$defs") Object.values(value).forEach(look);
      else if (keyword !== "examples") look(value);
    }
  };
  for (const name of NAMES) look(JSON.parse(schemaText(name)));
  look(JSON.parse(schemaTextOf(CONFIG_DEFINITION)));
  assert.deepEqual([...found].filter((keyword) => !known.has(keyword)), []);
});
