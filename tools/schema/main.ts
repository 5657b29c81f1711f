/**
 * Writes the schemas of rule documents into `src/domain/wire/schema`, and the one of the configuration into `src`. To be
 * run when a definition changes.
 *
 * @module
 */
import { CONFIG_DEFINITION } from "./config_definition.ts";
import { DEFINITIONS } from "./definition.ts";
import { schemaText, schemaTextOf } from "./generate.ts";

const FOLDER = new URL("../../src/domain/wire/schema/", import.meta.url);
const CONFIG_FILE = new URL("../../src/config_schema.json", import.meta.url);

if (import.meta.main) {
  for (const name of Object.keys(DEFINITIONS) as (keyof typeof DEFINITIONS)[]) {
    await Deno.writeTextFile(new URL(`${name}.json`, FOLDER), schemaText(name));
  }
  await Deno.writeTextFile(CONFIG_FILE, schemaTextOf(CONFIG_DEFINITION));
}
