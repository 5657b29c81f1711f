import assert from "node:assert/strict";
import { leastCovered, parseLcov, percentage } from "../../../../tools/test/coverage.ts";

const LCOV = `SF:/repo/src/a.ts
FN:1,f
DA:1,2
DA:2,0
DA:3,10
end_of_record
SF:/repo/src/b/c.ts
DA:1,1
end_of_record
`;

Deno.test("parseLcov() counts lines and those that ran", () => {
  assert.deepEqual(parseLcov(LCOV, "/repo/src/"), [
    { file: "a.ts", lines: 3, covered: 2 },
    { file: "b/c.ts", lines: 1, covered: 1 },
  ]);
});

Deno.test("percentage() weighs files by their lines and is 0 for nothing", () => {
  assert.equal(percentage(parseLcov(LCOV, "/repo/src/")), 75);
  assert.equal(percentage([]), 0);
});

Deno.test("leastCovered() puts the file with most missed lines first and leaves full ones out", () => {
  const file = (name: string, covered: number) => ({ file: name, lines: 10, covered });
  assert.deepEqual(
    leastCovered([file("a", 9), file("b", 2), file("c", 10), file("d", 5)], 2).map((each) =>
      each.file
    ),
    ["b", "d"],
  );
});
