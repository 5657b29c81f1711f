import assert from "node:assert/strict";
import { VERSION } from "../../src/version.ts";

Deno.test("VERSION is the one of the manifest, three parts", async () => {
  const manifest = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assert.equal(VERSION, manifest.version);
  assert.match(VERSION, /^\d+\.\d+\.\d+$/);
});
