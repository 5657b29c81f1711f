import assert from "node:assert/strict";
import { newestDump } from "../../../../src/operator/policy_tools/newest_dump.ts";
import { withFolder } from "./samples.ts";

Deno.test("newestDump() finds the newest dump among other files", () =>
  withFolder(async (folder) => {
    assert.equal(await newestDump(folder), null);
    const newest = "AuthorizationRules_2026-07-22T10.00.00.000-1784714400000000000.json";
    for (
      const name of [
        "AuthorizationRules_2026-07-21T23.00.00.000-1784674800000000000.json",
        newest,
        "AuthorizationRules_2026-07-22T09.00.00.000-1784710800000000000.json",
        "AuthorizationRules_9.json",
        "status.json",
      ]
    ) Deno.writeTextFileSync(`${folder}/${name}`, "{}");
    assert.equal(await newestDump(folder), `${folder}/${newest}`);
  }));

Deno.test("newestDump() throws where there is no folder", async () => {
  await assert.rejects(newestDump("/no/such/folder"), Deno.errors.NotFound);
});
