import assert from "node:assert/strict";
import { explain, SetupError } from "../../../../tools/setup/failure.ts";

Deno.test("explain() puts each remedy under its cause", () => {
  const error = new SetupError([
    { reason: "no root", remedy: "use sudo" },
    { reason: "no cgroup2", remedy: "mount it" },
  ]);
  assert.deepEqual(explain(error).split("\n").map((line) => line.trim()), [
    "cannot go on: no root",
    "remedy: use sudo",
    "cannot go on: no cgroup2",
    "remedy: mount it",
  ]);
});
