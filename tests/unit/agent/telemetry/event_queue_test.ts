import assert from "node:assert/strict";
import { EventQueue } from "../../../../src/agent/telemetry/event_queue.ts";

Deno.test("EventQueue drops the oldest entry when it is full, and counts it", () => {
  const queue = new EventQueue<number>(3);
  for (let event = 0; event < 5; event++) queue.push(event);
  assert.deepEqual(queue.peek().map(({ event }) => event), [2, 3, 4]);
  assert.equal(queue.dropped, 2);
  assert.equal(queue.length, 3);
});

Deno.test("EventQueue.removeUpTo() removes what was seen and nothing that came later", () => {
  const queue = new EventQueue<string>(3);
  for (const event of ["a", "b", "c"]) queue.push(event);
  const last = queue.peek().at(-1)?.seq ?? -1;
  queue.push("d");
  queue.removeUpTo(last);
  assert.deepEqual(queue.peek().map(({ event }) => event), ["d"]);
  queue.removeUpTo(last);
  assert.equal(queue.length, 1);
  queue.removeUpTo(last + 1);
  assert.equal(queue.length, 0);
  assert.equal(queue.dropped, 1);
});
