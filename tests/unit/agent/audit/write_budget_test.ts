import assert from "node:assert/strict";
import { LINE_LIMITS, WriteBudget } from "../../../../src/agent/audit/mod.ts";

const SMALL = {
  refusal: { burst: 3, perSecond: 1 },
  sensitive: { burst: 2, perSecond: 1 },
  first: { burst: 1, perSecond: 1 },
};

Deno.test("WriteBudget.admit() keeps users and classes apart", () => {
  const budget = new WriteBudget(SMALL);
  const admitted = (uid: number | null, times: number) =>
    Array.from({ length: times }, () => budget.admit(uid, "refusal", 0)).filter(Boolean).length;
  assert.equal(admitted(1000, 9), 3);
  assert.equal(admitted(1001, 9), 3);
  assert.equal(admitted(null, 9), 3);
  assert.equal(budget.admit(1000, "sensitive", 0), true);
  assert.equal(budget.admit(1000, "refusal", 1000), true);
});

Deno.test("WriteBudget.takeSuppressed() tells each count once", () => {
  const budget = new WriteBudget(SMALL);
  for (let i = 0; i < 5; i++) budget.admit(1000, "refusal", 0);
  for (let i = 0; i < 3; i++) budget.admit(null, "first", 0);
  assert.deepEqual(budget.takeSuppressed(), [
    { uid: 1000, class: "refusal", count: 2 },
    { uid: null, class: "first", count: 2 },
  ]);
  assert.deepEqual(budget.takeSuppressed(), []);
});

Deno.test("WriteBudget stays bounded and loses no count when users make room for others", () => {
  const budget = new WriteBudget(SMALL, 4);
  for (let uid = 0; uid < 100; uid++) {
    budget.admit(uid, "first", 0);
    budget.admit(uid, "first", 0);
  }
  const suppressed = budget.takeSuppressed();
  assert.equal(suppressed.length, 100);
  assert.equal(suppressed.reduce((sum, one) => sum + one.count, 0), 100);
});

Deno.test("LINE_LIMITS let one user push out at most two of the five files in a burst", () => {
  const worstBytes = LINE_LIMITS.refusal.burst * 1024;
  assert.ok(worstBytes <= 2 * 10 * 1024 * 1024);
});
