/**
 * The budgets of the rule engine, measured: compiling, matching, the longest step of either generator, the self-test. Run it on
 * a quiet machine; a missed budget ends it with exit code 1.
 *
 *     deno run -A tests/bench/policy_budgets.ts
 *
 * @module
 */
import {
  authorize,
  type CompiledItem,
  compileItem,
  compileSteps,
  evaluate,
  type PolicySnapshot,
  type Question,
  selfTest,
} from "../../src/domain/policy/mod.ts";
import { ENDPOINTS } from "../../src/domain/wire/mod.ts";
import { sampleCaller, samplePolicy, sampleRequest } from "../unit/domain/sample_values.ts";
import { makeQuestions, makeRules, type RuleShape } from "./policy_rules.ts";

const SHAPES: readonly RuleShape[] = ["paths", "one-path"];
const COMPILE_BUDGET_MS = new Map([[1_000, 10], [10_000, 200]]);
const MATCH_P99_US = 5;
const MATCH_RATIO = 2;
const SELF_TEST_MS = 150;
let missed = 0;

function report(what: string, figure: number, unit: string, budget: number | null): void {
  const isMissed = budget !== null && figure > budget;
  if (isMissed) missed++;
  const goal = budget === null ? "" : `   (budget ${budget} ${unit}${isMissed ? ", MISSED" : ""})`;
  console.log(`${what.padEnd(52)} ${figure.toFixed(2).padStart(8)} ${unit}${goal}`);
}

function elapsedMs(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function best(times: number, work: () => void): number {
  return Math.min(...Array.from({ length: times }, () => elapsedMs(work)));
}

/** The 50th and 99th percentile of one evaluation, in microseconds. Timed in tens, since the clock has its own price. */
function matching(item: CompiledItem, questions: readonly Question[]): [p50: number, p99: number] {
  const BATCH = 10;
  const samples: number[] = [];
  const rounds = 60;
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at + BATCH <= questions.length; at += BATCH) {
      const start = performance.now();
      for (let each = at; each < at + BATCH; each++) evaluate(item, questions[each]!, "enforce");
      if (round >= 10) samples.push((performance.now() - start) * 1_000 / BATCH);
    }
  }
  samples.sort((left, right) => left - right);
  return [samples[samples.length >> 1]!, samples[Math.floor(samples.length * 0.99)]!];
}

function longestStepMs(steps: Iterator<void, unknown>): number {
  let longest = 0;
  for (let isDone = false; !isDone;) {
    longest = Math.max(longest, elapsedMs(() => isDone = steps.next().done === true));
  }
  return longest;
}

for (const shape of SHAPES) {
  let least = 0;
  for (const count of [10, 1_000, 10_000]) {
    const rules = makeRules(count, shape);
    const name = `${shape}, ${count} rules`;
    report(
      `${name}: compile`,
      best(9, () => compileItem(rules)),
      "ms",
      COMPILE_BUDGET_MS.get(count) ?? null,
    );
    const { compiled } = compileItem(rules);
    const [p50, p99] = matching(compiled, makeQuestions(rules, 1_000));
    report(`${name}: match p50`, p50, "us", null);
    report(`${name}: match p99`, p99, "us", count === 10_000 ? MATCH_P99_US : null);
    if (count === 10) least = p50;
    if (count === 10_000) {
      report(`${name}: match, times of 10 rules`, p50 / least, "x", MATCH_RATIO);
    }
    report(`${name}: longest compile step`, longestStepMs(compileSteps(rules)), "ms", null);
    report(
      `${name}: self-test`,
      best(3, () => longestStepMs(selfTest(compiled))),
      "ms",
      SELF_TEST_MS,
    );
    report(`${name}: longest self-test step`, longestStepMs(selfTest(compiled)), "ms", null);
  }
}

const subject = {
  request: sampleRequest(),
  endpoint: "imds",
  destination: ENDPOINTS.imds,
  caller: sampleCaller(1000),
} as const;
function authorizing(policy: PolicySnapshot): number {
  const TIMES = 10_000;
  return best(20, () => {
    for (let each = 0; each < TIMES; each++) authorize(subject, policy);
  }) * 1_000 / TIMES;
}
report("authorize(), no rules", authorizing(samplePolicy("enforce")), "us", 1);
Deno.exit(missed === 0 ? 0 : 1);
