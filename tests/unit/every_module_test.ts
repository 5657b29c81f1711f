import assert from "node:assert/strict";

const SRC = new URL("../../src/", import.meta.url);

/** So that a file which no other test loads still counts in the coverage, and so that none does work when imported. */
Deno.test("every module of src loads by itself", async () => {
  const modules = modulesBelow(SRC);
  assert.ok(modules.length > 0);
  for (const module of modules) await import(module.href);
});

function modulesBelow(folder: URL): URL[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) =>
    entry.isDirectory
      ? modulesBelow(new URL(`${entry.name}/`, folder))
      : entry.name.endsWith(".ts")
      ? [new URL(entry.name, folder)]
      : []
  );
}
