import assert from "node:assert/strict";
import { nextSignMs, spoken } from "../../../../tools/setup/progress.ts";

Deno.test("nextSignMs() is silent for two seconds, then slower and slower, then every half minute", () => {
  const signs: number[] = [];
  for (let ms = 0; ms < 120_000;) signs.push(ms = nextSignMs(ms));
  assert.deepEqual(signs, [2_000, 4_000, 8_000, 16_000, 30_000, 60_000, 90_000, 120_000]);
});

Deno.test("spoken() words durations", () => {
  assert.equal(spoken(440), "0.4 s");
  assert.equal(spoken(9_960), "10 s");
  assert.equal(spoken(185_000), "3 min 05 s");
});
