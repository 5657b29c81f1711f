/**
 * What rules may cost, with room for a busy machine: growth is tested as a ratio, times only so far that a quadratic step
 * cannot hide. The figures themselves come from `tests/bench/policy_budgets.ts`.
 */
import assert from "node:assert/strict";
import {
  type CompiledItem,
  compileItem,
  compileSteps,
  evaluate,
  type Question,
} from "../../../../src/domain/policy/mod.ts";
import { makeQuestions, makeRules, type RuleShape } from "../../../bench/policy_rules.ts";

const SHAPES: readonly RuleShape[] = ["paths", "one-path"];

function best(times: number, work: () => void): number {
  let least = Infinity;
  for (let each = 0; each < times; each++) {
    const start = performance.now();
    work();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

function costMs(item: CompiledItem, questions: readonly Question[]): number {
  return best(40, () => {
    for (const question of questions) evaluate(item, question, "enforce");
  });
}

for (const shape of SHAPES) {
  Deno.test(`evaluate() costs about the same with 10 rules and with 10,000: ${shape}`, () => {
    const few = makeRules(10, shape);
    const many = makeRules(10_000, shape);
    const small = compileItem(few).compiled;
    const large = compileItem(many).compiled;
    const fewQuestions = makeQuestions(few, 500);
    const manyQuestions = makeQuestions(many, 500);
    for (const question of manyQuestions) assert.ok(evaluate(large, question, "enforce").allowed);
    costMs(small, fewQuestions);
    costMs(large, manyQuestions);
    const ratio = costMs(large, manyQuestions) / costMs(small, fewQuestions);
    assert.ok(ratio < 4, `10,000 rules cost ${ratio.toFixed(1)} times of 10`);
  });
}

/** Steps between two yields are of one size, so their number is the work, whatever the machine does meanwhile. */
function stepsOf(steps: Iterator<void, unknown>): number {
  for (let count = 0;; count++) {
    if (steps.next().done === true) return count;
  }
}

Deno.test("compileSteps() does work in proportion to the document", () => {
  for (const shape of SHAPES) {
    const tenth = stepsOf(compileSteps(makeRules(1_000, shape)));
    const whole = stepsOf(compileSteps(makeRules(10_000, shape)));
    assert.ok(tenth > 50 && whole < tenth * 10.5, `${tenth} steps became ${whole}`);
  }
});

Deno.test("evaluate() does not look through many values of a repeated key", () => {
  const { compiled } = compileItem(makeRules(10_000, "one-path"));
  const target = "/metadata/identity/oauth2/token?resource=a&resource=b";
  const question = { ...makeQuestions(makeRules(10, "one-path"), 1)[0]!, target };
  const one = { ...question, query: "resource=a&resource=b" };
  assert.equal(evaluate(compiled, one, "enforce").canonical, "deny");
  const small = compileItem(makeRules(10, "one-path")).compiled;
  costMs(small, [one]);
  const repeated = Array.from({ length: 200 }, () => one);
  const ratio = costMs(compiled, repeated) / costMs(small, repeated);
  assert.ok(ratio < 5, `${ratio.toFixed(1)} times`);
});
