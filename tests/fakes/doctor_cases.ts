import assert from "node:assert/strict";
import type { Check, Finding, RedirectionFacts } from "../../src/operator/doctor/mod.ts";
import {
  type FakeMachine,
  goodKernel,
  goodMachine,
  goodRedirection,
  type SettingsChange,
  situationOf,
} from "./fake_machine.ts";

/** A machine that is broken in one way, and what the check has to say of it. */
export interface BrokenCase {
  /** Changes the good machine. */
  readonly break?: (machine: FakeMachine) => void;
  readonly redirection?: Partial<RedirectionFacts>;
  readonly settings?: SettingsChange;
  readonly outcome: Finding["outcome"];
  readonly found: RegExp;
  readonly remedy?: RegExp;
}

/** Registers a test of the good machine and one for each broken one. */
export function checkTests(
  name: string,
  check: Check,
  good: RegExp,
  broken: Readonly<Record<string, BrokenCase>>,
): void {
  Deno.test(`${name} is content with a machine as it should be`, async () => {
    const { outcome, found, remedy } = await check.run(situationOf());
    assert.equal(outcome, "OK", found);
    assert.match(found, good);
    assert.equal(remedy, null);
  });
  for (const [fault, expected] of Object.entries(broken)) {
    Deno.test(`${name}: ${fault}`, async () => {
      const machine = goodMachine(goodKernel({ ...goodRedirection(), ...expected.redirection }));
      expected.break?.(machine);
      const finding = await check.run(situationOf(machine, expected.settings));
      assert.equal(finding.outcome, expected.outcome, finding.found);
      assert.match(finding.found, expected.found);
      if (expected.outcome === "OK") assert.equal(finding.remedy, null);
      else assert.match(finding.remedy ?? "", expected.remedy ?? /./);
    });
  }
}
