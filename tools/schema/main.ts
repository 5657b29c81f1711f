/**
 * Writes the schemas of rule documents into `src/domain/wire/schema`. To be run when `definition.ts` changes.
 *
 * @module
 */
import { DEFINITIONS } from "./definition.ts";
import { schemaText } from "./generate.ts";

const FOLDER = new URL("../../src/domain/wire/schema/", import.meta.url);

if (import.meta.main) {
  for (const name of Object.keys(DEFINITIONS) as (keyof typeof DEFINITIONS)[]) {
    await Deno.writeTextFile(new URL(`${name}.json`, FOLDER), schemaText(name));
  }
}
