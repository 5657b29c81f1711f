import assert from "node:assert/strict";
import { addEdges, circles } from "../../../../tools/lint/cycles.ts";

Deno.test("addEdges() sees imports and re-exports between agent rooms, over several lines too", () => {
  const edges = new Map<string, Set<string>>();
  addEdges(
    edges,
    "src/agent/proxy/pipeline.ts",
    [
      `import type { A } from "../audit/mod.ts";`,
      `import {\n  b,\n} from "../upstream/mod.ts";`,
      `import { c } from "./intake.ts";`,
      `import { d } from "../../domain/wire/a.ts";`,
      `export { e } from "../caller/mod.ts";`,
    ].join("\n"),
  );
  assert.deepEqual([...edges], [[
    "src/agent/proxy",
    new Set(["src/agent/audit", "src/agent/upstream", "src/agent/caller"]),
  ]]);
});

Deno.test("circles() names each circle once and leaves a diamond alone", () => {
  const edges = new Map([
    ["a", new Set(["b", "c"])],
    ["b", new Set(["d"])],
    ["c", new Set(["d", "a"])],
    ["d", new Set<string>()],
  ]);
  assert.deepEqual(circles(edges), ["a -> c -> a"]);
  edges.set("d", new Set(["a"]));
  assert.deepEqual(circles(edges), ["a -> b -> d -> a", "a -> c -> a", "a -> c -> d -> a"]);
});
