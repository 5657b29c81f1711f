import assert from "node:assert/strict";
import { SetupError } from "../../../../tools/setup/mod.ts";
import { parseOptions } from "../../../../tools/test/options.ts";

Deno.test("parseOptions() takes everything when nothing is asked for", () => {
  assert.deepEqual(parseOptions([]), { only: null, filter: null, coverage: true, help: false });
});

Deno.test("parseOptions() reads suites in either spelling", () => {
  assert.deepEqual(
    parseOptions(["--", "--only", "unit,e2e", "--only=check", "--filter=a=b", "--no-coverage"]),
    { only: new Set(["unit", "e2e", "check"]), filter: "a=b", coverage: false, help: false },
  );
});

Deno.test("parseOptions() refuses what it does not know", () => {
  for (const args of [["--onyl", "unit"], ["--only", "units"], ["--only"]]) {
    assert.throws(() => parseOptions(args), SetupError);
  }
});
