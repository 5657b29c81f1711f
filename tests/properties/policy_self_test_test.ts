/** The self-test refuses no rules that compile without an error: a false alarm would keep a good policy out. */
import assert from "node:assert/strict";
import { compileItem, selfTest, type SelfTestReport } from "../../src/domain/policy/mod.ts";
import { productionItem } from "./production.ts";
import { Dice, randomItem } from "./triples.ts";

const FACTOR = Number(Deno.env.get("FAST_CHECK_FACTOR") ?? 1);
const ITEMS = 4_000 * FACTOR;
const SEED = Number(Deno.env.get("SELF_TEST_SEED") ?? Math.floor(Math.random() * 2 ** 32));

Deno.test("selfTest() raises no alarm about rules that are in order", () => {
  const dice = new Dice(SEED);
  let tested = 0;
  for (let done = 0; done < ITEMS; done++) {
    const { compiled, findings } = compileItem(productionItem(randomItem(dice)));
    if (findings.some(({ severity }) => severity === "error")) continue;
    const steps = selfTest(compiled);
    let report: SelfTestReport | null = null;
    while (report === null) {
      const step = steps.next();
      if (step.done === true) report = step.value;
    }
    tested += report.privileges;
    const where = `SELF_TEST_SEED=${SEED}, item ${done}`;
    assert.equal(report.failureCount, 0, `${where}: ${JSON.stringify(report.failures[0])}`);
  }
  assert.ok(tested > ITEMS / 4, `only ${tested} privileges were tested`);
});
