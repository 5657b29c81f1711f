import assert from "node:assert/strict";
import { HealthBoard } from "../../../../src/agent/status/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";

Deno.test("HealthBoard.of() is UNKNOWN, in the contract's words, before the first report", () => {
  const clock = new FakeClock();
  const sinceMs = clock.wallMs();
  assert.deepEqual(new HealthBoard(clock).of("proxy"), {
    state: "UNKNOWN",
    code: "NOT_REPORTED",
    message: "Status unknown.",
    sinceMs,
  });
});

Deno.test("HealthBoard.of() keeps the time of the last change of state or code, not of the message", () => {
  const clock = new FakeClock();
  const startMs = clock.wallMs();
  const board = new HealthBoard(clock);
  const report = board.reporter("proxy").report;
  const since = () => board.of("proxy").sinceMs - startMs;
  clock.tick(10);
  report("RUNNING", "UP", "one");
  clock.tick(10);
  report("RUNNING", "UP", "two");
  assert.equal(board.of("proxy").message, "two");
  assert.equal(since(), 10);
  report("RUNNING", "BUSY", "three");
  assert.equal(since(), 20);
  clock.tick(10);
  report("STOPPED", "BUSY", "four");
  assert.equal(since(), 30);
});

Deno.test("HealthBoard.all() lists the parts that reported, each apart", () => {
  const board = new HealthBoard(new FakeClock());
  board.reporter("a").report("RUNNING", "UP", "a");
  board.reporter("b").report("STOPPED", "DOWN", "b");
  assert.deepEqual([...board.all()].map(([name, { state }]) => [name, state]), [
    ["a", "RUNNING"],
    ["b", "STOPPED"],
  ]);
});
