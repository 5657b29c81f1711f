import assert from "node:assert/strict";
import { atLeast, fetchFailure } from "../../../../tools/setup/modules.ts";

Deno.test("atLeast() compares versions number by number", () => {
  assert.equal(atLeast("2.7.14", [2, 7, 14]), true);
  assert.equal(atLeast("2.10.0", [2, 7, 14]), true);
  assert.equal(atLeast("3.0.0-rc.1", [2, 7, 14]), true);
  assert.equal(atLeast("2.7.2", [2, 7, 14]), false);
  assert.equal(atLeast("1.46.3", [2, 7, 14]), false);
});

Deno.test("fetchFailure() tells certificates, lock file, network and code apart", () => {
  const table: [string, RegExp][] = [
    ["error: Failed caching npm package\n invalid peer certificate: UnknownIssuer", /certificate/],
    ["error: The lockfile is out of date.", /deno\.lock/],
    ["error: Failed loading https://x\n error sending request", /registry/],
    ['error: Module not found "file:///x.ts".', /import/],
  ];
  for (const [tail, remedy] of table) {
    assert.match(fetchFailure({ timedOut: false, tail }).problems[0].remedy, remedy, tail);
  }
  assert.match(fetchFailure({ timedOut: true, tail: "" }).message, /in time/);
});
