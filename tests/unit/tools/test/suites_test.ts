import assert from "node:assert/strict";
import type { TestCase } from "../../../../tools/test/junit.ts";
import { counts, type Suite, withBreakage } from "../../../../tools/test/suites.ts";

const SUITE: Suite = { name: "unit", folder: "tests/unit", limitMs: 1, onKernel: false };
const ENDED = { code: 0, timedOut: false, tail: "last words" };
const testCase = (outcome: TestCase["outcome"]): TestCase => ({
  name: "a",
  file: "b",
  outcome,
  message: "",
});

Deno.test("withBreakage() adds nothing to a suite that ended properly", () => {
  assert.equal(withBreakage(SUITE, ENDED, [testCase("passed")]).length, 1);
  assert.equal(withBreakage(SUITE, { ...ENDED, code: 1 }, [testCase("failed")]).length, 1);
});

Deno.test("withBreakage() counts what did not end, crashed or ran nothing as a failure", () => {
  for (
    const [outcome, cases] of [
      [{ ...ENDED, timedOut: true, code: 130 }, [testCase("passed")]],
      [{ ...ENDED, timedOut: true, code: 130 }, [testCase("failed")]],
      [{ ...ENDED, code: 139 }, [testCase("passed"), testCase("skipped")]],
      [ENDED, []],
    ] as const
  ) {
    const added = withBreakage(SUITE, outcome, cases).slice(cases.length);
    assert.deepEqual(added.map((each) => each.outcome), ["failed"]);
  }
});

Deno.test("withBreakage() quotes a crash's last words", () => {
  const [broken] = withBreakage(SUITE, { ...ENDED, code: 139 }, []);
  assert.match(broken?.message ?? "", /139; its last words:\nlast words/);
});

Deno.test("counts() is the closing line", () => {
  assert.equal(
    counts([testCase("passed"), testCase("skipped"), testCase("passed")]),
    "2 passed, 0 failed, 1 skipped",
  );
});
