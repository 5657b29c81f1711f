import assert from "node:assert/strict";
import { Cell } from "../../../src/runtime/cell.ts";

Deno.test("Cell.publish() replaces the value before it tells the subscribers, in their order", () => {
  const cell = new Cell(1);
  const seen: string[] = [];
  const forever = new AbortController().signal;
  cell.subscribe((value) => seen.push(`first ${value} ${cell.get()}`), forever);
  cell.subscribe((value) => seen.push(`second ${value}`), forever);
  cell.publish(2);
  assert.deepEqual(seen, ["first 2 2", "second 2"]);
});

Deno.test("Cell.subscribe() ends with its signal, and does not begin with one that fired", () => {
  const cell = new Cell("a");
  const ending = new AbortController();
  let calls = 0;
  cell.subscribe(() => calls++, ending.signal);
  cell.publish("b");
  ending.abort();
  cell.subscribe(() => calls++, ending.signal);
  cell.publish("c");
  assert.equal(calls, 1);
});
