import assert from "node:assert/strict";
import {
  processStartTicks,
  startsAtTick,
  startTicksOf,
} from "../../../../src/platform/linux/process_start.ts";

/** The fields of /proc/<pid>/stat from the third on; the start time is number 22 of all. */
const FIELDS = Array.from({ length: 50 }, (_, index) => String(index + 3));

function stat(command: string, fields: readonly string[] = FIELDS): Uint8Array {
  return new TextEncoder().encode(`4711 (${command}) ${fields.join(" ")}\n`);
}

Deno.test("startTicksOf() reads field 22", () => {
  assert.equal(startTicksOf(stat("curl")), 22);
});

Deno.test("startTicksOf() is not misled by a command with blanks and parentheses", () => {
  for (const command of ["a b", ") S 1 2 3", "((", "x) 9 9 9 9 (y", ""]) {
    assert.equal(startTicksOf(stat(command)), 22, command);
  }
});

Deno.test("startTicksOf() is null for text of another form", () => {
  assert.equal(startTicksOf(new Uint8Array()), null);
  assert.equal(startTicksOf(new TextEncoder().encode("4711 (curl) S 1")), null);
  assert.equal(startTicksOf(stat("curl", FIELDS.map(() => "x"))), null);
  assert.equal(startTicksOf(stat("curl", FIELDS.map(() => "0"))), null);
  assert.equal(startTicksOf(stat("curl", FIELDS.map(() => "-5"))), null);
});

Deno.test("processStartTicks() knows this process, and none that is not there", () => {
  const ticks = processStartTicks(Deno.pid);
  const upTicks = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]) * 100;
  assert.ok(ticks !== null && ticks > 0 && ticks <= upTicks + 1);
  assert.equal(processStartTicks(4_194_305), null);
});

Deno.test("startsAtTick() compares what the kernel knows exactly with what /proc rounds down", () => {
  assert.equal(startsAtTick(1_230_000_000n, 123), true);
  assert.equal(startsAtTick(1_239_999_999n, 123), true);
  assert.equal(startsAtTick(1_240_000_000n, 123), false);
  assert.equal(startsAtTick(1_229_999_999n, 123), false);
});
