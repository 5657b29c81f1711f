import assert from "node:assert/strict";

/** What every vector says besides its data. */
export interface Vector {
  readonly id: string;
  readonly source: string;
  readonly why: string;
}

/**
 * Reads the golden data below `tests/vectors`. Every vector must have exactly the fields that are named, so that a misspelt
 * one fails and is not skipped; ids must be unique.
 */
export function readVectors<T>(
  file: string,
  fields: readonly (keyof T & string)[],
  list = "vectors",
): readonly (T & Vector)[] {
  const document = readVectorFile(file);
  const vectors = document[list] as Record<string, unknown>[];
  const expected = ["id", "source", "why", ...fields].sort();
  const ids = new Set<unknown>();
  for (const vector of vectors) {
    assert.deepEqual(Object.keys(vector).sort(), expected, `${file} ${vector["id"]}`);
    assert.ok(vector["source"] && vector["why"], `${file} ${vector["id"]} names source and why`);
    assert.ok(!ids.has(vector["id"]), `${file} ${vector["id"]} is unique`);
    ids.add(vector["id"]);
  }
  assert.ok(vectors.length > 0, file);
  return vectors as unknown as readonly (T & Vector)[];
}

/** The whole file, for the values that all of its vectors share. */
export function readVectorFile(file: string): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(new URL(file, import.meta.url)));
}
