import assert from "node:assert/strict";
import { readBootNs, SystemClock } from "../../../src/runtime/system_clock.ts";

Deno.test("readBootNs() reads seconds with their fraction", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "350735.47 234388.90\n");
    assert.equal(readBootNs(path), 350_735_470_000_000n);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("readBootNs() falls back to the time of the process where there is no such file", () => {
  const before = BigInt(Math.floor(performance.now() * 1e6));
  const ns = readBootNs("/nowhere/uptime");
  assert.ok(ns >= before && ns < before + 10_000_000_000n);
});

Deno.test("SystemClock.bootNs() uses the reader it was given", () => {
  assert.equal(new SystemClock({ bootNs: () => 42n }).bootNs(), 42n);
});

Deno.test("SystemClock tells the machine's times", () => {
  const clock = new SystemClock();
  assert.ok(Math.abs(clock.wallMs() - Date.now()) < 1000);
  assert.ok(Math.abs(clock.monotonicMs() - performance.now()) < 1000);
});

Deno.test("SystemClock.sleep() ends by time", async () => {
  const clock = new SystemClock();
  const from = clock.monotonicMs();
  await clock.sleep(2);
  assert.ok(clock.monotonicMs() - from >= 1);
});

Deno.test("SystemClock.sleep() ends at once, without an error, when its signal fires or had fired", async () => {
  const clock = new SystemClock();
  const waking = new AbortController();
  const asleep = clock.sleep(3_000_000_000, waking.signal);
  waking.abort();
  await asleep;
  await clock.sleep(3_000_000_000, waking.signal);
});
