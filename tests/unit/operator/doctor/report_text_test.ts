import assert from "node:assert/strict";
import { exitCodeOf, reportJson, reportText } from "../../../../src/operator/doctor/mod.ts";
import { NOW_MS } from "../../../fakes/fake_machine.ts";

const REPORT = {
  outcome: "FAIL",
  version: "1.2.3",
  wallMs: NOW_MS,
  durationMs: 7,
  results: [
    { name: "a", title: "first", outcome: "OK", found: "well", remedy: null, durationMs: 1 },
    {
      name: "b",
      title: "second",
      outcome: "FAIL",
      found: "x\nOK y",
      remedy: "do\u202eit",
      durationMs: 6,
    },
  ],
} as const;

Deno.test("reportText() has one line for each check, its remedy below, and the counts", () => {
  assert.equal(
    reportText(REPORT),
    `OK    first (a): well
FAIL  second (b): x OK y
      remedy: do it

1 FAIL, 0 WARN, 1 OK in 7 ms
`,
  );
});

Deno.test("reportJson() is one line with stable names", () => {
  const text = reportJson(REPORT);
  assert.equal(text.indexOf("\n"), text.length - 1);
  assert.deepEqual(JSON.parse(text), {
    outcome: "FAIL",
    version: "1.2.3",
    time: "2026-01-06T07:08:09.123Z",
    durationMs: 7,
    checks: [
      { check: "a", title: "first", outcome: "OK", found: "well", remedy: null, durationMs: 1 },
      {
        check: "b",
        title: "second",
        outcome: "FAIL",
        found: "x\nOK y",
        remedy: "do\u202eit",
        durationMs: 6,
      },
    ],
  });
});

Deno.test("exitCodeOf() is 0, 1 and 2", () => {
  assert.deepEqual((["OK", "WARN", "FAIL"] as const).map(exitCodeOf), [0, 1, 2]);
});
