import assert from "node:assert/strict";
import { Tally } from "../../../../src/operator/live_view/mod.ts";
import { line } from "./lines.ts";

Deno.test("Tally.take() has a row for each caller, endpoint and verdict, the busiest first", () => {
  const tally = new Tally();
  tally.add(line({ elapsedUs: 100 }));
  tally.add(line({ verdict: "deny", reason: "rule-denied", status: 403, target: "/a" }));
  tally.add(line({ elapsedUs: 300, target: "/b", pid: 2 }));
  const rows = tally.take();
  assert.deepEqual(
    rows.map(({ verdict, reason, recent, total }) => [verdict, reason, recent, total]),
    [["allow", null, 2, 2], ["deny", "rule-denied", 1, 1]],
  );
  assert.deepEqual([rows[0]!.meanUs, rows[0]!.maxUs, rows[0]!.lastTarget], [200, 300, "GET /b"]);
  assert.deepEqual([rows[1]!.lastStatus, rows[1]!.lastTarget], [403, "GET /a"]);
});

Deno.test("Tally.take() begins the recent count anew and keeps the total", () => {
  const tally = new Tally();
  tally.add(line());
  tally.take();
  tally.add(line({ user: "other", uid: 7 }));
  const rows = tally.take();
  assert.deepEqual(rows.map(({ uid, recent, total }) => [uid, recent, total]), [
    [7, 1, 1],
    [1000, 0, 1],
  ]);
  assert.equal(rows[1]!.meanUs, 0);
});

Deno.test("Tally.add() keeps 1,000 rows and counts the rest in one", () => {
  const tally = new Tally();
  for (let uid = 0; uid < 5_000; uid++) tally.add(line({ uid }));
  const rows = tally.take();
  assert.equal(rows.length, 1_001);
  assert.deepEqual([rows[0]!.user, rows[0]!.total], ["others", 4_000]);
});
