import * as z from "zod/mini";
import { type DefinitionName, DEFINITIONS } from "./definition.ts";

/** The JSON Schema of a document, as text of its file. */
export function schemaText(name: DefinitionName): string {
  return schemaTextOf(DEFINITIONS[name]);
}

/** The JSON Schema of what is defined, as text of its file. */
export function schemaTextOf(definition: z.core.$ZodType): string {
  const schema = z.toJSONSchema(definition, {
    // Unknown members are ignored, so the schema must let them be.
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      // A free map is a map in the program, so that no name in it reaches a prototype, and an object in JSON.
      if (def.type !== "map") return;
      const { keyType, valueType } = def as unknown as z.core.$ZodMapDef;
      jsonSchema.type = "object";
      jsonSchema.propertyNames = inner(keyType);
      jsonSchema.additionalProperties = inner(valueType);
    },
  });
  return JSON.stringify(schema, null, 2) + "\n";
}

function inner(type: z.core.SomeType): z.core.JSONSchema.BaseSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(type as z.core.$ZodType, { io: "input" });
  return schema;
}
