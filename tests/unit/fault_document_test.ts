import assert from "node:assert/strict";
import type { Fault } from "../e2e/faults/fault.ts";
import { FAULT_GROUPS } from "../e2e/faults/matrix.ts";

const FAULTS = FAULT_GROUPS.flatMap(({ faults }) => faults);

/** The cells of each row of `docs/faults.md`, by the name of its fault. */
async function documented(): Promise<Map<string, readonly string[]>> {
  const text = await Deno.readTextFile(new URL("../../docs/faults.md", import.meta.url));
  const rows = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    if (!line.startsWith("| ") || /^\| (-|Fault )/.test(line)) continue;
    const [, name = "", ...cells] = line.split("|").map((cell) => cell.trim());
    assert.ok(!rows.has(name), `${name} is there twice`);
    rows.set(name, cells);
  }
  return rows;
}

Deno.test("docs/faults.md has a row for each fault of the matrix, and none beside", async () => {
  assert.deepEqual([...(await documented()).keys()], FAULTS.map(({ name }) => name));
});

Deno.test("docs/faults.md says what the matrix asserts", async () => {
  const rows = await documented();
  for (const fault of FAULTS) {
    const [callers = "", status = "", doctor = ""] = rows.get(fault.name) ?? [];
    for (const each of fault.callers) assert.ok(callers.includes(`${each}`), fault.name);
    assertStatus(fault, status);
    if (fault.doctor === null) continue;
    const checks = [...doctor.matchAll(/`([\w-]+)`/g)].map(([, check]) => check);
    assert.deepEqual(checks, [...fault.doctor].sort(), fault.name);
  }
});

function assertStatus({ name, status }: Fault, cell: string): void {
  if (status === null) return assert.match(cell, /^nothing/, name);
  const [, module, message = ""] = /^`(\w+)`: `(.*)`$/.exec(cell) ?? [];
  assert.equal(module, status.module, name);
  // A number stands in the document without the quotes that a message has.
  const words = new RegExp(status.words.source.replaceAll("`", ""));
  assert.match(message.replace("for … s", "for 3 s"), words, name);
}
